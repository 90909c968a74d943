from __future__ import annotations

from typing import Any

import pytest

from callm.errors import ConfigError
from callm.types import File, Image, Message, Request, Secret, Settings, Text, Tool, ToolCall, ToolResult
from callm.wire.codec import HTTPRequest, Quirks, Target
from callm.wire.openai_chat import OpenAIChat
from tests.transcripts import load_request
from tests.wire.openai_chat.chunks import TARGET, quirky

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
HI = (Message.user("Hi"),)
TOOL = Tool("get_weather", "d", SCHEMA, strict=True)
SQL = Tool("sql", "Runs SQL.", extra={"type": "custom", "custom": {"format": {"type": "text"}}})


class Spec:
    """An output type whose schema a test decides."""

    name = "out"

    def __init__(self, **schemas: Any) -> None:
        self.schemas = schemas

    def json_schema(self, dialect: str) -> dict[str, Any] | None:
        schema: dict[str, Any] | None = self.schemas.get(dialect)
        return schema

    def describe(self) -> str:
        return "Answer in JSON."

    def parse(self, text: str) -> Any:
        raise NotImplementedError(text)


def encode(request: Request | None = None, target: Target = TARGET, **settings: Any) -> HTTPRequest:
    return OpenAIChat().encode(request or Request(HI, settings=Settings(**settings)), target)


def body_of(request: Request | None = None, target: Target = TARGET, **settings: Any) -> dict[str, Any]:
    body: dict[str, Any] = encode(request, target, **settings).json
    return body


def test_the_least_request_is_model_and_messages() -> None:
    assert body_of() == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def sdk_request(body: dict[str, Any]) -> Request:
    """The request that was given to the official SDK; what is none of ours is taken from the recorded body."""
    return Request(
        messages=(
            Message.system("Be terse."),
            Message.user(
                "See",
                Image(data=b"\x89PNG", media_type="image/png", detail="low"),
                File(data=b"%PDF-", name="a.pdf"),
            ),
            Message.assistant(ToolCall("call_a", "get_weather", '{"city":"Oslo"}')),
            Message.tool(ToolResult("call_a", "7C")),
        ),
        tools=(TOOL,),
        output=Spec(openai=SCHEMA),
        settings=Settings(
            max_tokens=100,
            temperature=0.2,
            top_p=0.9,
            stop=("END",),
            seed=1,
            reasoning_effort="low",
            tool_choice="get_weather",
            parallel_tool_calls=False,
            extra={
                name: body[name]
                for name in (
                    "service_tier",
                    "logprobs",
                    "top_logprobs",
                    "metadata",
                    "prompt_cache_key",
                    "safety_identifier",
                )
            },
            headers={"OpenAI-Organization": "org", "OpenAI-Project": "proj"},
        ),
        stream=True,
    )


def test_the_request_is_that_of_the_official_sdk() -> None:
    request = sdk_request(load_request("openai-chat")["body"])
    target = Target(
        model="gpt-6-astra",
        base_url="https://api.openai.com/v1",
        api_key=Secret("k"),
        provider="openai",
        quirks=Quirks(system="developer"),
    )
    recorded, sent = load_request("openai-chat"), OpenAIChat().encode(request, target)
    assert sent.json == recorded["body"]
    assert sent.url == "https://api.openai.com" + recorded["path"]
    assert sent.method == recorded["method"]
    assert sent.headers["openai-organization"] == "org"
    assert sent.headers["content-type"] == "application/json"
    assert sent.notices == ()


@pytest.mark.parametrize(
    ("name", "base_url", "auth"),
    [
        ("azure-dated", "https://r.openai.azure.com/openai/deployments/my-deploy?api-version=2024-10-21", "api-key"),
        ("azure-v1", "https://r.openai.azure.com/openai/v1/", "bearer"),
    ],
)
def test_azure_is_the_same_at_another_address(name: str, base_url: str, auth: str) -> None:
    recorded = load_request(name)
    target = Target(model="my-deploy", base_url=base_url, api_key=Secret("k"), quirks=Quirks(auth=auth))
    sent = OpenAIChat().encode(Request((Message.user("x"),)), target)
    assert sent.url == "https://r.openai.azure.com" + recorded["path"]
    assert sent.json == recorded["body"]
    assert set(recorded["headers"]) - set(sent.headers) == {"x-stainless-retry-count"}


def test_an_address_that_is_whole_is_left_alone() -> None:
    for url in ("https://x.example/v1/chat/completions", "https://x.example/chat/completions?a=b"):
        assert encode(target=Target(model="m", base_url=url)).url == url


def test_the_key_is_sent_and_never_shown() -> None:
    target = Target(model="m", base_url="https://x.example", api_key=Secret("sk-1234567890"))
    request = encode(target=target)
    assert request.headers["authorization"] == Secret("sk-1234567890", "Bearer ")
    assert "sk-1234567890" not in repr(request) + request.curl()


def test_a_credential_among_the_users_headers_wins_and_is_masked() -> None:
    target = Target(
        model="m", base_url="https://x.example", api_key=Secret("a"), headers={"X-Title": "t", "api-key": Secret("b")}
    )
    request = encode(target=target, headers={"Authorization": "Basic dXNlcg==", "X-Title": "u"})
    assert request.headers["authorization"] == Secret("Basic dXNlcg==")
    assert request.headers["api-key"] == Secret("b")
    assert request.headers["x-title"] == "u"
    assert "dXNlcg" not in request.curl()


def test_the_accepted_type_follows_the_stream() -> None:
    assert encode().headers["accept"] == "application/json"
    assert encode(Request(HI, stream=True)).headers["accept"] == "text/event-stream"


@pytest.mark.parametrize(
    ("quirks", "provider", "fields"),
    [
        ({}, "p", {"stream": True, "stream_options": {"include_usage": True}}),
        ({}, "openai", {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}),
        ({"stream_options": False}, "mistral", {"stream": True}),
    ],
)
def test_a_stream_asks_for_its_usage_where_it_may(quirks: Any, provider: str, fields: dict[str, Any]) -> None:
    target = Target(model="m", base_url="https://x.example", provider=provider, quirks=Quirks(**quirks))
    sent = body_of(Request(HI, stream=True), target)
    assert {name: sent[name] for name in sent if name not in {"model", "messages"}} == fields


@pytest.mark.parametrize(
    ("settings", "quirks", "fields"),
    [
        ({"max_tokens": 5}, {}, {"max_completion_tokens": 5}),
        ({"max_tokens": 5}, {"max_tokens": "max_tokens"}, {"max_tokens": 5}),
        ({"temperature": 0.0, "top_p": 0.5}, {}, {"temperature": 0.0, "top_p": 0.5}),
        ({"stop": ("a", "b")}, {}, {"stop": ["a", "b"]}),
        ({"seed": 0}, {}, {"seed": 0}),
        ({"seed": 1}, {"seed": "random_seed"}, {"random_seed": 1}),
        ({"reasoning_effort": "low"}, {}, {"reasoning_effort": "low"}),
        ({"extra": {"n": 2, "temperature": 1}, "temperature": 0.1}, {}, {"n": 2, "temperature": 1}),
        ({"tool_choice": "auto"}, {}, {}),
        ({"tool_choice": "none"}, {}, {}),
        ({"parallel_tool_calls": True}, {}, {}),
    ],
)
def test_settings_go_under_the_vendors_names(settings: Any, quirks: Any, fields: dict[str, Any]) -> None:
    assert body_of(target=quirky(**quirks), **settings) == {**body_of(), **fields}


def test_what_the_vendor_has_no_place_for_is_left_out_and_said() -> None:
    target = quirky(stop=False, seed=None, effort=None, parallel_tool_calls=False)
    settings = Settings(stop=("a",), seed=1, reasoning_effort="low", parallel_tool_calls=True)
    request = encode(Request(HI, tools=(TOOL,), settings=settings), target)
    assert set(request.json) == {"model", "messages", "tools"}
    assert [notice.split()[2] for notice in request.notices] == [
        "stop",
        "seed",
        "reasoning_effort",
        "parallel_tool_calls",
    ]


@pytest.mark.parametrize(
    ("tool", "wire"),
    [
        (TOOL, {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": SCHEMA, "strict": True}}),
        (Tool("f"), {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}),
        (Tool("f", strict=True), {"type": "function", "function": {"name": "f", "strict": True, "parameters": {
            "type": "object", "properties": {}, "required": [], "additionalProperties": False}}}),
        (Tool("f", extra={"cache": 1, "function": {"strict": False}}),
         {"type": "function", "cache": 1, "function": {"name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}}),
        (SQL, {"type": "custom", "custom": {"name": "sql", "description": "Runs SQL.", "format": {"type": "text"}}}),
        (Tool("search", extra={"type": "browser_search"}), {"type": "browser_search"}),
    ],
)  # fmt: skip
def test_every_kind_of_tool_has_its_wire_form(tool: Tool, wire: dict[str, Any]) -> None:
    assert body_of(Request(HI, tools=(tool,)))["tools"] == [wire]


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "näme", "f\n"])
def test_a_tool_name_that_no_server_takes_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="tool name"):
        encode(Request(HI, tools=(Tool(name),)))


@pytest.mark.parametrize(
    ("choice", "quirks", "wire"),
    [
        ("auto", {}, "auto"),
        ("none", {}, "none"),
        ("required", {}, "required"),
        ("required", {"required": "any"}, "any"),
        ("get_weather", {}, {"type": "function", "function": {"name": "get_weather"}}),
        ("sql", {}, {"type": "custom", "custom": {"name": "sql"}}),
    ],
)
def test_every_tool_choice_has_its_wire_form(choice: str, quirks: Any, wire: Any) -> None:
    request = Request(HI, tools=(TOOL, SQL), settings=Settings(tool_choice=choice))
    assert body_of(request, quirky(**quirks))["tool_choice"] == wire


def test_a_tool_choice_that_can_not_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="'search' is no tool: use auto, none, required or one of get_weather"):
        encode(Request(HI, tools=(TOOL,), settings=Settings(tool_choice="search")))
    with pytest.raises(ConfigError, match="'required' needs tools"):
        encode(tool_choice="required")


def test_tools_given_as_they_are_on_the_wire_are_the_users_own() -> None:
    assert body_of(tool_choice="required", extra={"tools": [], "tool_choice": "x"})["tool_choice"] == "x"


def test_parallel_calls_are_asked_for_with_tools_only() -> None:
    request = Request(HI, tools=(TOOL,), settings=Settings(parallel_tool_calls=False))
    assert body_of(request)["parallel_tool_calls"] is False


OBJECT = {"type": "object", "properties": {}}
BY_REFERENCE = {"$ref": "#/$defs/A", "$defs": {"A": OBJECT}}
NATIVE = {"type": "json_schema", "json_schema": {"name": "out", "schema": OBJECT, "strict": True}}
ADDED = "Hi\n\nAnswer in JSON."


@pytest.mark.parametrize(
    ("structured", "schemas", "response_format", "content"),
    [
        ("json_schema", {"openai": OBJECT}, NATIVE, "Hi"),
        ("json_schema", {"json": OBJECT}, None, ADDED),
        ("json_object", {"openai": OBJECT, "json": OBJECT}, {"type": "json_object"}, ADDED),
        ("json_object", {"json": BY_REFERENCE}, {"type": "json_object"}, ADDED),
        ("json_object", {"json": {"type": "array"}}, None, ADDED),
        ("json_object", {"json": {"$ref": "#/$defs/B"}}, None, ADDED),
        ("json_object", {}, None, ADDED),
        ("none", {"openai": OBJECT, "json": OBJECT}, None, ADDED),
    ],
)
def test_the_output_is_enforced_where_the_vendor_can_and_described_where_not(
    structured: str, schemas: Any, response_format: Any, content: str
) -> None:
    target = quirky(structured=structured)
    sent = body_of(Request(HI, output=Spec(**schemas)), target)
    assert sent.get("response_format") == response_format
    assert sent["messages"][0]["content"] == content
    described = body_of(Request(HI, output=Spec(**schemas), described=True), target)
    assert described["messages"][0]["content"] == "Hi"
    assert described.get("response_format") == response_format


def test_a_request_is_not_changed_by_encoding_it() -> None:
    message = Message.user(Text("a", {"x": 1}), "b")
    request = Request((message,), output=Spec(), tools=(SQL,))
    assert encode(request) == encode(request)
    assert message == Message.user(Text("a", {"x": 1}), "b")


def test_what_is_no_json_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    odd: list[Any] = [object(), {1: {2, object()}}, "\ud800", deep]
    for value in odd:
        with pytest.raises(ConfigError, match="can't be written as JSON"):
            encode(extra={"x": value})
