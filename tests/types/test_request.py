"""Requests and settings: immutable, checked when made."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import msgspec
import pytest

from callm.errors import ConfigError
from callm.types import Message, Request, Settings, Text, Tool

HI = Message.user("hi")


def test_a_text_is_taken_as_the_users() -> None:
    text: Any = "hi"
    several: Any = [Message.system("s"), HI]
    assert Request(text).messages == (HI,)
    assert Request(several).messages == (Message.system("s"), HI)


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ((), "a request needs at least one message"),
        ([], "a request needs at least one message"),
        (["hi"], "messages must be of type Message, not str"),
        ([{"role": "user"}], "messages must be of type Message, not dict"),
        ((HI, None), "messages must be of type Message, not null"),
        (None, "messages must be a text or a list, not null"),
        (HI, "messages must be a text or a list, not Message"),
        (5, "messages must be a text or a list, not int"),
    ],
)
def test_messages_that_are_none_are_refused(messages: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Request(messages)


def test_tools_are_checked_and_may_be_a_list() -> None:
    several: Any = [Tool("f")]
    assert Request((HI,), tools=several).tools == (Tool("f"),)
    with pytest.raises(ConfigError, match="tools must be of type Tool, not dict"):
        Request((HI,), tools=({"name": "f"},))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_tokens": "5"}, "the setting max_tokens must be a whole number, not str"),
        ({"max_tokens": 5.0}, "the setting max_tokens must be a whole number, not float"),
        ({"max_tokens": True}, "the setting max_tokens must be a whole number, not bool"),
        ({"temperature": "hot"}, "the setting temperature must be a number, not str"),
        ({"top_p": [1]}, "the setting top_p must be a number, not list"),
        ({"seed": 1.5}, "the setting seed must be a whole number, not float"),
        ({"reasoning_effort": 3}, "the setting reasoning_effort must be a text, not int"),
        ({"tool_choice": Tool("f")}, "the setting tool_choice must be a text, not Tool"),
        ({"parallel_tool_calls": 1}, "the setting parallel_tool_calls must be true or false, not int"),
        ({"stop": 5}, "the setting stop must be a text or a list of texts, not int"),
        ({"stop": (5,)}, "the setting stop must be a text or a list of texts, not int"),
        ({"stop": None}, "the setting stop must be a text or a list of texts, not null"),
        ({"extra": None}, "the setting extra must be a mapping, not null"),
        ({"extra": [1]}, "the setting extra must be a mapping, not list"),
        ({"headers": "a: b"}, "the setting headers must be a mapping, not str"),
    ],
)
def test_a_setting_of_a_wrong_type_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(**fields)


def test_settings_take_ints_for_numbers_and_one_text_for_stop() -> None:
    stop: Any = "END"
    several: Any = ["a", "b"]
    assert Settings(temperature=1, top_p=0).temperature == 1
    assert Settings(stop=stop).stop == ("END",)
    assert Settings(stop=several).stop == ("a", "b")


def test_what_settings_leave_open_comes_from_the_defaults() -> None:
    defaults = Settings(
        max_tokens=10,
        temperature=0.5,
        stop=("a",),
        parallel_tool_calls=True,
        extra={"a": 1, "b": 1},
        headers={"x": "1", "y": "1"},
    )
    mine = Settings(temperature=0.0, parallel_tool_calls=False, seed=7, extra={"b": 2}, headers={"y": "2"})
    assert mine.over(defaults) == Settings(
        max_tokens=10,
        temperature=0.0,
        stop=("a",),
        parallel_tool_calls=False,
        seed=7,
        extra={"a": 1, "b": 2},
        headers={"x": "1", "y": "2"},
    )
    assert Settings().over(defaults) == defaults
    assert defaults.over(Settings()) == defaults
    assert (defaults.extra, mine.extra) == ({"a": 1, "b": 1}, {"b": 2})


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_setting_can_be_laid_over_a_default(name: str) -> None:
    values: dict[str, Any] = {
        "stop": ("x",), "parallel_tool_calls": False, "extra": {"a": 0}, "headers": {"a": ""},
        "reasoning_effort": "", "tool_choice": "",
    }  # fmt: skip
    mine = Settings(**{name: values.get(name, 0)})
    assert getattr(mine.over(Settings()), name) == values.get(name, 0)
    assert getattr(Settings().over(mine), name) == values.get(name, 0)


def test_requests_are_immutable_and_survive_pickle_copy_and_replace() -> None:
    request = Request(
        (Message.system("s"), HI), "openai/m", (Tool("f", "d", {"type": "object"}),), settings=Settings(stop=("a",))
    )
    assert pickle.loads(pickle.dumps(request)) == request
    assert copy.deepcopy(request) == copy.copy(request) == request
    changed = msgspec.structs.replace(request, stream=True, messages=(Message("user", (Text("a"),)),))
    assert (changed.stream, changed.messages[0].text, request.stream) == (True, "a", False)
    with pytest.raises(AttributeError):
        request.stream = True  # type: ignore[misc]
