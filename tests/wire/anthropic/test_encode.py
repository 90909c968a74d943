"""Requests to the Messages API, against those its own SDK sends, and by tables."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from callm.errors import ConfigError
from callm.types import (
    File,
    Image,
    Message,
    Reasoning,
    Request,
    Secret,
    Settings,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    reveal,
)
from callm.wire.codec import HTTPRequest, Quirks, Target
from tests.transcripts import load_request
from tests.wire.anthropic.payloads import CODEC, TARGET

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = Tool("get_weather", "d", SCHEMA)
HI = Message.user("Hi")


class City:
    """An output as codecs see it."""

    name = "City"

    def __init__(self, schema: dict[str, Any] | None = SCHEMA) -> None:
        self.schema = schema

    def json_schema(self, dialect: str) -> dict[str, Any] | None:
        assert dialect == "anthropic"
        return self.schema

    def describe(self) -> str:
        return "Answer as JSON."

    def parse(self, text: str) -> Any:
        raise NotImplementedError


def encode(*messages: Message, target: Target = TARGET, **fields: Any) -> HTTPRequest:
    return CODEC.encode(Request(messages or (HI,), **fields), target)


def body(*messages: Message, target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = encode(*messages, target=target, **fields).json
    return decoded


def quirky(**quirks: Any) -> Target:
    return msgspec.structs.replace(TARGET, quirks=Quirks(**quirks))


def test_everything_at_once_is_what_the_official_sdk_sends() -> None:
    pdf = File(b"%PDF-", name="a", extra={"cache_control": {"type": "ephemeral", "ttl": "1h"}})
    request = encode(
        Message.system(Text("Be terse.", {"cache_control": {"type": "ephemeral"}})),
        Message.user("See", Image(b"\x89PNG", media_type="image/png"), pdf),
        Message.assistant(
            Reasoning("t", "Sg==", format="anthropic"), ToolCall("toolu_1", "get_weather", '{"city": "Oslo"}')
        ),
        Message.tool(ToolResult("toolu_1", (Text("7C"),))),
        tools=(msgspec.structs.replace(TOOL, strict=True),),
        output=City(),
        settings=Settings(
            stop=("END",),
            reasoning_effort="low",
            tool_choice="auto",
            parallel_tool_calls=False,
            max_tokens=4096,
            extra={
                "metadata": {"user_id": "u"},
                "service_tier": "auto",
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
        ),
        stream=True,
        target=Target("claude-opus-5-5", "https://api.anthropic.com", Secret("key")),
    )
    recorded = load_request("anthropic")
    expected = recorded["body"]
    del expected["messages"][2]["content"][0]["is_error"]  # it says false, which is the default: we leave it out
    assert request.json == expected
    assert request.url == "https://api.anthropic.com" + recorded["path"]
    assert request.method == recorded["method"]
    assert request.headers["anthropic-version"] == recorded["headers"]["anthropic-version"]
    assert request.headers["content-type"] == recorded["headers"]["content-type"]
    assert reveal(request.headers["authorization"]) == "Bearer key"
    assert request.notices == ()


def test_the_smallest_request_is_what_the_official_sdk_sends() -> None:
    target = Target("m", "https://api.anthropic.com/", Secret("key"))
    request = encode(Message.user("x"), settings=Settings(max_tokens=1), target=target)
    recorded = load_request("anthropic-auth_token")
    assert request.json == recorded["body"]
    assert request.headers["accept"] == recorded["headers"]["accept"]
    assert request.headers["anthropic-version"] == recorded["headers"]["anthropic-version"]


def test_a_limit_is_always_sent_and_lies_above_the_budget_for_thoughts() -> None:
    assert body()["max_tokens"] == 4096
    assert body(settings=Settings(max_tokens=7))["max_tokens"] == 7
    thinking = {"type": "enabled", "budget_tokens": 10_000}
    assert body(settings=Settings(extra={"thinking": thinking}))["max_tokens"] == 14_096
    assert body(settings=Settings(extra={"thinking": {"type": "adaptive"}}))["max_tokens"] == 4096
    assert body(settings=Settings(extra={"max_tokens": 5}))["max_tokens"] == 5


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
        ("https://h/anthropic/v1/messages", "https://h/anthropic/v1/messages"),
        ("https://h/anthropic?api-version=1", "https://h/anthropic/v1/messages?api-version=1"),
        ("local:", "local:/v1/messages"),
    ],
)
def test_the_address_is_right_whatever_the_base_ends_in(base: str, url: str) -> None:
    assert encode(target=Target("m", base)).url == url


@pytest.mark.parametrize(
    ("settings", "version"),
    [
        (Settings(), "2026-10-21"),
        (Settings(temperature=0.0), "2023-06-01"),
        (Settings(top_p=0.9), "2023-06-01"),
        (Settings(extra={"top_k": 5}), "2023-06-01"),
        (Settings(extra={"temperature": 1}), "2023-06-01"),
        (Settings(temperature=1.0, headers={"Anthropic-Version": "2026-10-21"}), "2026-10-21"),
    ],
)
def test_sampling_parameters_choose_the_version_that_takes_them(settings: Settings, version: str) -> None:
    assert encode(settings=settings).headers["anthropic-version"] == version


def test_the_key_goes_where_the_provider_wants_it_and_stays_secret() -> None:
    bearer = encode(target=quirky(auth="bearer")).headers
    named = encode(target=quirky(auth="X-Api-Key"))
    assert reveal(bearer["authorization"]) == "Bearer sk-ant-canary-0123456789"
    assert reveal(named.headers["x-api-key"]) == "sk-ant-canary-0123456789"
    assert "x-api-key" not in bearer
    assert "authorization" not in named.headers
    assert "canary" not in repr(named) + named.curl()
    assert {"authorization", "x-api-key"}.isdisjoint(encode(target=Target("m", "https://h")).headers)


def test_headers_of_target_and_settings_are_added_settings_last_and_credentials_masked() -> None:
    target = msgspec.structs.replace(TARGET, headers={"X-A": "1", "X-B": "1", "X-Api-Key": Secret("other-canary")})
    request = encode(
        target=target,
        stream=True,
        settings=Settings(headers={"x-b": "2", "Authorization": "Bearer canary", "anthropic-beta": "a,b"}),
    )
    headers = request.headers
    assert (headers["x-a"], headers["x-b"], headers["anthropic-beta"]) == ("1", "2", "a,b")
    assert headers["accept"] == "text/event-stream"
    assert reveal(headers["x-api-key"]) == "other-canary"
    assert reveal(headers["authorization"]) == "Bearer canary"
    assert "canary" not in request.curl() + repr(request)


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (TOOL, {"name": "get_weather", "description": "d", "input_schema": SCHEMA}),
        (Tool("now"), {"name": "now", "input_schema": {"type": "object", "properties": {}}}),
        (
            Tool("f", parameters=SCHEMA, strict=False, extra={"type": "custom", "defer_loading": True}),
            {"name": "f", "input_schema": SCHEMA, "strict": False, "type": "custom", "defer_loading": True},
        ),
        (
            Tool("web_search", "ignored", extra={"type": "web_search_20260318", "max_uses": 2}),
            {"name": "web_search", "type": "web_search_20260318", "max_uses": 2},
        ),
    ],
)
def test_tools(tool: Tool, expected: dict[str, Any]) -> None:
    assert body(tools=(tool,))["tools"] == [expected]


@pytest.mark.parametrize("name", ["", "a b", "a" * 129, "é"])
def test_a_tool_name_that_the_api_would_refuse_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="1 to 128 letters"):
        encode(tools=(Tool(name),))


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        ("auto", None, {"type": "auto"}),
        ("auto", True, {"type": "auto"}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("get_weather", None, {"type": "tool", "name": "get_weather"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice_of_tools(
    choice: str | None, parallel: bool | None, expected: dict[str, Any] | None
) -> None:  # a table
    settings = Settings(tool_choice=choice, parallel_tool_calls=parallel)
    assert body(tools=(TOOL,), settings=settings).get("tool_choice") == expected


def test_a_choice_among_no_tools_is_an_error_unless_it_asks_for_none() -> None:
    for choice in ("auto", "none", None):
        assert "tool_choice" not in body(settings=Settings(tool_choice=choice, parallel_tool_calls=False))
    with pytest.raises(ConfigError, match="'required' needs tools"):
        encode(settings=Settings(tool_choice="required"))
    with pytest.raises(ConfigError, match=r"'other' is no tool.*get_weather"):
        encode(tools=(TOOL,), settings=Settings(tool_choice="other"))
    own = Settings(tool_choice="mine", extra={"tools": [{"name": "mine"}]})
    assert body(settings=own)["tool_choice"] == {"type": "tool", "name": "mine"}


def test_settings_have_their_names_here_and_what_has_no_place_leaves_a_notice() -> None:
    request = encode(settings=Settings(temperature=0.5, top_p=0.9, stop=("a", "b"), seed=7))
    assert {name: request.json[name] for name in ("temperature", "top_p", "stop_sequences")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["a", "b"],
    }
    assert "seed" not in request.json
    assert request.notices == ("seed was left out: the anthropic format has no place for it",)
    no_stop = encode(settings=Settings(stop=("a",)), target=quirky(stop=False))
    assert "stop_sequences" not in no_stop.json
    assert no_stop.notices == ("stop was left out: this provider does not take it",)


@pytest.mark.parametrize(
    ("effort", "known", "sent", "notices"),
    [
        ("high", "reasoning_effort", {"output_config": {"effort": "high"}}, 0),
        ("minimal", "reasoning_effort", {"output_config": {"effort": "low"}}, 1),
        ("none", "reasoning_effort", {"thinking": {"type": "disabled"}}, 0),
        ("high", None, {}, 1),
        (None, None, {}, 0),
    ],
)
def test_the_reasoning_effort(effort: str | None, known: str | None, sent: dict[str, Any], notices: int) -> None:
    request = encode(settings=Settings(reasoning_effort=effort), target=quirky(effort=known))
    assert {name: request.json[name] for name in ("output_config", "thinking") if name in request.json} == sent
    assert len(request.notices) == notices


def test_a_schema_is_enforced_where_it_can_be_and_extras_keep_it() -> None:
    settings = Settings(extra={"output_config": {"effort": "max"}, "metadata": {"user_id": "u"}})
    request = body(Message.user("Hi"), output=City(), settings=settings)
    assert request["output_config"] == {"effort": "max", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert request["metadata"] == {"user_id": "u"}
    assert request["messages"] == [{"role": "user", "content": "Hi"}]
    assert body(settings=Settings(extra={"output_config": None}), output=City())["output_config"] is None


@pytest.mark.parametrize("target", [quirky(structured="none"), quirky(structured="json_object")])
def test_a_provider_without_schemas_gets_the_description_in_the_prompt(target: Target) -> None:
    request = body(Message.system("S"), Message.user("Hi"), output=City(), target=target)
    assert "output_config" not in request
    assert request["system"] == "S"
    assert request["messages"] == [{"role": "user", "content": "Hi\n\nAnswer as JSON."}]


def test_the_description_stands_at_the_end_of_the_last_message_of_the_user() -> None:
    output = City(None)
    picture = Image(url="https://h/a.png")
    described = {"type": "text", "text": "Answer as JSON."}
    cached = Text("Hi", {"cache_control": {}})
    assert body(Message.user(picture), output=output)["messages"][0]["content"][1:] == [described]
    assert body(Message.user(cached), output=output)["messages"][0]["content"][1:] == [described]
    assert body(Message.user(""), output=output)["messages"] == [{"role": "user", "content": "Answer as JSON."}]
    assert body(Message.assistant("Hi"), output=output)["messages"][1]["content"] == "Answer as JSON."
    assert body(Message.system("S"), output=output)["messages"] == [{"role": "user", "content": "S\n\nAnswer as JSON."}]
    later = body(
        Message.user("A"), Message.assistant(ToolCall("1", "f")), Message.tool(ToolResult("1", "x")), output=output
    )
    assert later["messages"][0]["content"] == "A\n\nAnswer as JSON."
    assert body(HI, output=output, described=True)["messages"] == [{"role": "user", "content": "Hi"}]
    assert body(HI, output=City(), described=True)["output_config"]["format"]["schema"] == SCHEMA


def test_extras_are_laid_over_the_body() -> None:
    request = body(settings=Settings(max_tokens=5, extra={"max_tokens": 6, "container": {"id": "c"}, "top_k": 3}))
    assert (request["max_tokens"], request["container"], request["top_k"]) == (6, {"id": "c"}, 3)


def test_a_stream_is_asked_for_only_when_wanted() -> None:
    assert "stream" not in body()
    assert body(stream=True)["stream"] is True


@pytest.mark.parametrize("extra", [{"x": object()}, {"x": "\ud800"}, {"x": {1.5: object()}}])
def test_what_is_no_json_is_an_error_before_anything_is_sent(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="can't be written as JSON"):
        encode(settings=Settings(extra=extra))
