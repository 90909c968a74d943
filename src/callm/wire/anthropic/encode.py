"""A `Request` to the HTTP request of the Messages API.

1. What the API needs and the request does not have is filled in.
2. What the API has no place for raises, or leaves a notice.
3. `settings.extra` is laid over the body last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from callm.errors import ConfigError
from callm.types import Request, Secret, Settings, Tool
from callm.wire.anthropic.blocks import Block, Notices
from callm.wire.anthropic.turns import encode_messages
from callm.wire.codec import HTTPRequest, Target
from callm.wire.untyped import as_object, count

MAX_TOKENS: Final = 4096
"""The API demands a limit; this one is sent where the settings have none."""

# The newer version refuses sampling parameters with a 400, even at their default values; the older still takes them.
# https://docs.anthropic.com/en/api/versioning
_VERSION: Final = "2026-10-21"
_SAMPLING_VERSION: Final = "2023-06-01"
_SAMPLING: Final = ("temperature", "top_p", "top_k")

_PATH: Final = "/v1/messages"
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_CREDENTIALS: Final = frozenset({"authorization", "api-key", "x-api-key", "proxy-authorization", "cookie"})
_TOOL_CHOICES: Final[Mapping[str, str]] = {"auto": "auto", "none": "none", "required": "any"}
_NO_ARGUMENTS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}


def encode_request(request: Request, target: Target) -> HTTPRequest:
    """Return what to send. See `Codec.encode`."""
    notices: Notices = {}
    schema, description = _output(request, target)
    system, turns = encode_messages(request.messages, description, notices)
    settings = request.settings
    body: Block = {"model": target.model, "max_tokens": _max_tokens(settings)}
    if system:
        body["system"] = system
    body["messages"] = turns
    body |= _tools(request)
    body |= _settings(settings, target, notices)
    if output_config := _output_config(settings, schema, target, notices):
        body["output_config"] = output_config
    if request.stream:
        body["stream"] = True
    body |= settings.extra
    if isinstance(body.get("output_config"), Mapping):  # an effort and a schema may come from two places
        body["output_config"] = output_config | body["output_config"]
    return HTTPRequest(_url(target.base_url), _headers(request, target, body), _json(body), notices=tuple(notices))


def _settings(settings: Settings, target: Target, notices: Notices) -> Block:
    body: Block = {}
    for name in ("temperature", "top_p"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.stop and target.quirks.stop:
        body["stop_sequences"] = settings.stop
    elif settings.stop:
        notices["stop was left out: this provider does not take it"] = None
    if settings.seed is not None:
        notices["seed was left out: the anthropic format has no place for it"] = None
    if settings.reasoning_effort == "none":
        body["thinking"] = {"type": "disabled"}
    return body


def _max_tokens(settings: Settings) -> int:
    if settings.max_tokens is not None:
        return settings.max_tokens
    thinking = as_object(settings.extra.get("thinking")) or {}
    return MAX_TOKENS + (count(thinking, "budget_tokens") or 0)  # the limit must be above the budget


def _tools(request: Request) -> Block:
    body: Block = {"tools": [_tool(tool) for tool in request.tools]} if request.tools else {}
    choice = request.settings.tool_choice
    if not request.tools and "tools" not in request.settings.extra:
        if choice not in {None, "auto", "none"}:
            raise ConfigError(f"tool_choice {choice!r} needs tools: pass tools=, or leave tool_choice out")
        return {}
    if wire := _tool_choice(request):
        body["tool_choice"] = wire
    return body


def _tool(tool: Tool) -> Block:
    if tool.extra.get("type", "custom") != "custom":  # a tool of the provider's own: its type says the rest
        return {"name": tool.name, **tool.extra}
    if not _TOOL_NAME.match(tool.name):
        raise ConfigError(f"the tool name {tool.name[:140]!r} must be 1 to 128 letters, digits, '_' and '-'")
    wire: Block = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    wire["input_schema"] = _NO_ARGUMENTS if tool.parameters is None else tool.parameters
    if tool.strict is not None:
        wire["strict"] = tool.strict
    return wire | tool.extra


def _tool_choice(request: Request) -> Block:
    settings, names = request.settings, [tool.name for tool in request.tools]
    choice, serial = settings.tool_choice, settings.parallel_tool_calls is False
    if choice is None and not serial:
        return {}
    kind = _TOOL_CHOICES.get(choice or "auto", "tool")
    if kind == "tool" and choice not in names and "tools" not in settings.extra:
        raise ConfigError(f"tool_choice {choice!r} is no tool: use auto, none, required or one of {', '.join(names)}")
    wire: Block = {"type": kind, "name": choice} if kind == "tool" else {"type": kind}
    return wire | {"disable_parallel_tool_use": True} if serial and kind != "none" else wire


def _output(request: Request, target: Target) -> tuple[dict[str, Any] | None, str]:
    """Return the schema to be enforced, or the description for the prompt where that can't be done."""
    if request.output is None:
        return None, ""
    schema = request.output.json_schema("anthropic") if target.quirks.structured == "json_schema" else None
    if schema is not None:
        return schema, ""
    return None, "" if request.described else request.output.describe()


def _output_config(settings: Settings, schema: dict[str, Any] | None, target: Target, notices: Notices) -> Block:
    config: Block = {}
    if (effort := _effort(settings, target, notices)) is not None:
        config["effort"] = effort
    if schema is not None:
        config["format"] = {"type": "json_schema", "schema": schema}
    return config


def _effort(settings: Settings, target: Target, notices: Notices) -> str | None:
    effort = settings.reasoning_effort
    if effort in {None, "none"}:
        return None
    if target.quirks.effort is None:
        notices["reasoning_effort was left out: this provider does not take it"] = None
        return None
    if effort == "minimal":
        notices["reasoning_effort minimal was sent as low: the anthropic format knows nothing less"] = None
        return "low"
    return effort


def _url(base_url: str) -> str:
    """Return the address; the base URL may end in `/v1` or not, and a query stays behind the path."""
    base, mark, query = base_url.partition("?")
    base = base.rstrip("/")
    missing = next((end for known, end in (("/v1/messages", ""), ("/v1", "/messages")) if base.endswith(known)), _PATH)
    return f"{base}{missing}{mark}{query}"


def _headers(request: Request, target: Target, body: Block) -> dict[str, str | Secret]:
    headers: dict[str, str | Secret] = {
        "content-type": "application/json",
        "accept": "text/event-stream" if request.stream else "application/json",
        "anthropic-version": _SAMPLING_VERSION if any(name in body for name in _SAMPLING) else _VERSION,
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


def _json(body: Block) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"the request can't be written as JSON: {error}. Check extra= and the tools' schemas"
        ) from error
