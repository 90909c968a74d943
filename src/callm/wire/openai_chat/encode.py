"""A request to the bytes of the Chat Completions format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from callm.errors import ConfigError
from callm.types import OutputSpec, Request, Secret, Settings, Tool
from callm.wire.codec import HTTPRequest, Quirks, Target
from callm.wire.openai_chat.messages import add_text, encode_messages

_PATH: Final = "/chat/completions"
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_CREDENTIALS: Final = frozenset({"authorization", "api-key", "x-api-key", "proxy-authorization", "cookie"})
_NO_ARGUMENTS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
_STRICT_NO_ARGUMENTS: Final[Mapping[str, Any]] = {**_NO_ARGUMENTS, "required": [], "additionalProperties": False}
_NO_SETTINGS: Final = Settings()
_CHOICES: Final = frozenset({"auto", "none", "required"})


def encode(request: Request, target: Target) -> HTTPRequest:
    """Return the HTTP request; see `Codec.encode`."""
    notices: list[str] = []
    quirks, settings = target.quirks, request.settings
    custom = frozenset(tool.name for tool in request.tools if tool.extra.get("type") == "custom")
    messages = encode_messages(request.messages, quirks, custom, notices)
    body: dict[str, Any] = {"model": target.model, "messages": messages}
    if settings != _NO_SETTINGS:
        body |= _sampling(settings, quirks, notices)
    body |= _tools(request, custom, quirks, notices)
    body |= _output(request, messages, quirks)
    body |= _streaming(request, target)
    body |= settings.extra
    return HTTPRequest(
        url=_url(target.base_url),
        headers=_headers(request, target),
        body=_json(body),
        notices=tuple(notices),
    )


@lru_cache(maxsize=256)
def _url(base_url: str) -> str:
    """Return the address; a query of the base URL (Azure's `api-version`) stays behind the path."""
    base, mark, query = base_url.partition("?")
    path = "" if base.rstrip("/").endswith(_PATH) else _PATH
    return f"{base.rstrip('/')}{path}{mark}{query}"


def _headers(request: Request, target: Target) -> dict[str, str | Secret]:
    headers: dict[str, str | Secret] = {
        "content-type": "application/json",
        "accept": "text/event-stream" if request.stream else "application/json",
    }
    if target.api_key is not None and target.quirks.auth == "bearer":
        headers["authorization"] = target.api_key.prefixed("Bearer ")
    elif target.api_key is not None:
        headers[target.quirks.auth.lower()] = target.api_key
    for name, value in (*target.headers.items(), *request.settings.headers.items()):
        headers[name.lower()] = _masked(value) if name.lower() in _CREDENTIALS else value
    return headers


def _masked(value: str | Secret) -> Secret:
    return Secret(value) if isinstance(value, str) else value


def _sampling(settings: Settings, quirks: Quirks, notices: list[str]) -> dict[str, Any]:
    wanted: dict[str | None, tuple[str, Any]] = {
        quirks.max_tokens: ("max_tokens", settings.max_tokens),
        "temperature": ("temperature", settings.temperature),
        "top_p": ("top_p", settings.top_p),
    }
    fields = {name: value for name, (_, value) in wanted.items() if value is not None}
    for label, name, value in (
        ("stop", "stop" if quirks.stop else None, list(settings.stop) or None),
        ("seed", quirks.seed, settings.seed),
        ("reasoning_effort", quirks.effort, settings.reasoning_effort),
    ):
        if value is not None and name is None:
            notices.append(f"the setting {label} was left out: this provider has no place for it")
        elif value is not None:
            fields[name] = value
    return {name: value for name, value in fields.items() if name is not None}


def _tools(request: Request, custom: frozenset[str], quirks: Quirks, notices: list[str]) -> dict[str, Any]:
    settings = request.settings
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in request.tools]} if request.tools else {}
    if settings.tool_choice is not None and (request.tools or "tools" not in settings.extra):
        fields |= _tool_choice(settings.tool_choice, request.tools, custom, quirks)
    if settings.parallel_tool_calls is not None and request.tools:  # without tools it is refused
        if quirks.parallel_tool_calls:
            fields["parallel_tool_calls"] = settings.parallel_tool_calls
        else:
            notices.append("the setting parallel_tool_calls was left out: this provider has no place for it")
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    kind = tool.extra.get("type", "function")
    if kind not in {"function", "custom"}:  # a tool of the server
        return dict(tool.extra)
    if not _TOOL_NAME.match(tool.name):
        raise ConfigError(f"the tool name {tool.name[:80]!r} must be 1 to 64 letters, digits, '_' and '-'")
    inner: dict[str, Any] = {"name": tool.name}
    if tool.description:
        inner["description"] = tool.description
    if kind == "function":
        empty = _STRICT_NO_ARGUMENTS if tool.strict else _NO_ARGUMENTS
        inner["parameters"] = empty if tool.parameters is None else tool.parameters
        if tool.strict is not None:
            inner["strict"] = tool.strict
    more = tool.extra.get(kind)
    return {"type": kind, **tool.extra, kind: {**inner, **more} if isinstance(more, Mapping) else inner}


def _tool_choice(choice: str, tools: tuple[Tool, ...], custom: frozenset[str], quirks: Quirks) -> dict[str, Any]:
    if choice in {"auto", "none"}:
        return {"tool_choice": choice} if tools else {}
    if not tools:
        raise ConfigError(f"tool_choice {choice!r} needs tools: pass tools=, or leave tool_choice out")
    if choice == "required":
        return {"tool_choice": quirks.required}
    names = [tool.name for tool in tools]
    if choice not in names:
        raise ConfigError(f"tool_choice {choice!r} is no tool: use auto, none, required or one of {', '.join(names)}")
    kind = "custom" if choice in custom else "function"
    return {"tool_choice": {"type": kind, kind: {"name": choice}}}


def _output(request: Request, messages: list[dict[str, Any]], quirks: Quirks) -> dict[str, Any]:
    """Ask for the output's type: by its schema where the vendor enforces one, else in words."""
    output = request.output
    if output is None:
        return {}
    if quirks.structured == "json_schema":
        schema = output.json_schema("openai")
        if schema is not None:
            return {"response_format": _schema_format(output.name, schema)}
    if not request.described and (description := output.describe()):
        add_text(messages, description)
    if quirks.structured == "json_object" and _is_object(output):
        return {"response_format": {"type": "json_object"}}
    return {}


def _schema_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


def _is_object(output: OutputSpec) -> bool:
    """Return whether the output is a JSON object, the only thing that `json_object` lets a model answer."""
    schema = output.json_schema("json") or {}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        schema = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
    return schema.get("type") == "object"


def _streaming(request: Request, target: Target) -> dict[str, Any]:
    if not request.stream:
        return {}
    if not target.quirks.stream_options:
        return {"stream": True}
    options = {"include_usage": True}
    if target.provider == "openai":  # random padding of every chunk; other servers refuse the word
        options["include_obfuscation"] = False
    return {"stream": True, "stream_options": options}


def _json(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"the request can't be written as JSON: {error}. Check extra= and the tools' schemas"
        ) from error
