import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.fronts import request_file
from callm.fronts.request_file import parse_request_file
from callm.types import Image, Message, Request, Settings

HELLO = {"role": "user", "content": "Hello, how are you?", "kind": "text"}


def file(**changes: Any) -> str:
    fields = {"messages": [HELLO], "provider": "openai", "model": "gpt-3.5-turbo", "parameters": {}} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...})


def test_a_whole_file_becomes_a_request():
    parameters = {
        "temperature": 0.7,
        "max_tokens": 100,
        "top_p": 1,
        "stop": "END",
        "seed": 7,
        "reasoning_effort": "low",
        "frequency_penalty": -0.5,
        "api_base": "https://example.com/v1",
    }
    read = parse_request_file(file(parameters=parameters))
    assert read.api_base == "https://example.com/v1"
    assert read.request == Request(
        (Message.user("Hello, how are you?"),),
        model="openai/gpt-3.5-turbo",
        settings=Settings(
            temperature=0.7,
            max_tokens=100,
            top_p=1,
            stop=("END",),
            seed=7,
            reasoning_effort="low",
            extra={"frequency_penalty": -0.5},
        ),
    )


def test_what_is_not_given_stays_open():
    text = '\ufeff{"messages": [{"role": "system", "content": ""}], "model": "openai/gpt"}'
    for read in (parse_request_file(text), parse_request_file(text.encode())):
        assert read.request == Request((Message.system(""),), model="openai/gpt")
        assert read.api_base is None


def test_a_provider_stands_before_whatever_the_model_is_called():
    assert parse_request_file(file(provider="openrouter", model="openrouter/auto")).request.model == (
        "openrouter/openrouter/auto"
    )


def test_an_image_is_given_by_its_address():
    messages = [{"role": "user", "content": "https://example.com/a.png", "kind": "image_url"}]
    assert parse_request_file(file(messages=messages)).request.messages == (
        Message.user(Image(url="https://example.com/a.png")),
    )


def test_several_stop_texts():
    assert parse_request_file(file(parameters={"stop": ["a", "b"]})).request.settings.stop == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (file(temperature=0.5), "unknown field 'temperature': known are messages, provider, model, parameters"),
        (file(mesages=[]), "unknown field 'mesages': did you mean 'messages'?"),
        (file(parameters={"max_token": 5}), "unknown field 'parameters.max_token': did you mean 'max_tokens'?"),
        (file(parameters={"Temperature": 5}), "unknown field 'parameters.Temperature': did you mean 'temperature'?"),
        (file(messages=[HELLO | {"roles": 1}]), "unknown field 'messages[0].roles': did you mean 'role'?"),
        (file(parameters={"temperature": "hot"}), "parameters.temperature must be a number from 0 to 2, not the text 'hot'"),
        (file(parameters={"temperature": True}), "parameters.temperature must be a number from 0 to 2, not true"),
        (file(parameters={"temperature": 3}), "parameters.temperature must be a number from 0 to 2, not the number 3"),
        (file(parameters={"top_p": -1}), "parameters.top_p must be a number from 0 to 1, not the number -1"),
        (file(parameters={"max_tokens": 1.5}), "parameters.max_tokens must be a whole number of 1 or more, not the number 1.5"),
        (file(parameters={"max_tokens": 0}), "parameters.max_tokens must be a whole number of 1 or more, not the number 0"),
        (file(parameters={"seed": None}), "parameters.seed must be a whole number, not null"),
        (file(parameters={"stop": [""]}), "parameters.stop must be a text or a list of texts, not a list"),
        (file(parameters={"stop": 1}), "parameters.stop must be a text or a list of texts, not the number 1"),
        (file(parameters={"api_base": "example.com"}), "parameters.api_base must be a URL, not the text 'example.com'"),
        (file(parameters=[]), "parameters must be an object, not an empty list"),
        (file(messages=[]), "messages must be a list of at least one message, not an empty list"),
        (file(messages="hi"), "messages must be a list of at least one message, not the text 'hi'"),
        (file(messages=["hi"]), "messages[0] must be an object, not the text 'hi'"),
        (file(messages=[{"role": "user"}]), "messages[0].content is missing"),
        (file(messages=[HELLO | {"role": "bot"}]), "messages[0].role must be one of system, developer, user, assistant, not the text 'bot'"),
        (file(messages=[HELLO | {"role": ["user"]}]), "messages[0].role must be one of system, developer, user, assistant, not a list"),
        (file(messages=[HELLO | {"content": {}}]), "messages[0].content must be text, not an object"),
        (file(messages=[HELLO | {"kind": "audio"}]), "messages[0].kind must be one of text, image_url, not the text 'audio'"),
        (file(messages=[HELLO | {"kind": "image_url"}]), "messages[0].content must be a URL of an image, because its kind is image_url"),
        (file(messages=...), "messages is missing"),
        (file(model=...), "model is missing"),
        (file(model=" "), "model must be text, not an empty text"),
        (file(provider="a/b"), "provider must be the name of a provider, not the text 'a/b'"),
        (file(provider=False), "provider must be the name of a provider, not false"),
        ("[]", "the file must be an object, not an empty list"),
        ("{", "f is no JSON: Expecting property name enclosed in double quotes, line 1, column 2"),
        ("", "f is no JSON: Expecting value, line 1, column 1"),
        ('{"a": 1, "a": 2}', "f is no JSON: the field 'a' stands there twice"),
        ('{"a": NaN}', "f is no JSON: NaN is no JSON number"),
        (b"\xff{}", "f is not UTF-8: invalid start byte at byte 0"),
        ("[" * 100_000, "f is no JSON"),
        ('{"a": ' + "1" * 5000 + "}", "f is no JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_name(text, message):
    with pytest.raises(ConfigError) as info:
        parse_request_file(text, "f")
    assert message in str(info.value)
    assert len(str(info.value)) < 500


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as info:
        parse_request_file(file(model=7, messages=[{"role": "user"}], parameters={"tmp": 1, "seed": "x"}), "f")
    assert str(info.value).splitlines() == [
        "f has 4 problems:",
        "  model must be text, not the number 7",
        f"  unknown field 'parameters.tmp': known are {', '.join(request_file.PARAMETERS)}",
        "  parameters.seed must be a whole number, not the text 'x'",
        "  messages[0].content is missing",
    ]


def test_a_huge_file_is_refused(monkeypatch):
    monkeypatch.setattr(request_file, "MAX_FILE", 10)
    with pytest.raises(ConfigError, match="larger than 10 characters"):
        parse_request_file(file())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["user", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "role", "content", "kind", "model", "provider", "parameters", "stop", "x"]),
            inner,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_json_is_a_request_or_a_config_error(data):
    try:
        read = parse_request_file(json.dumps(data))
    except ConfigError:
        return
    assert read.request.messages
