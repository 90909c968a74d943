"""What is asked of a model, and what a model is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from callm.errors import ConfigError, describe_type
from callm.types.events import Events
from callm.types.messages import Message
from callm.types.options import CallOptions
from callm.types.secret import Secret


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function the model may ask to call.

    Attributes:
        name: letters, digits, `_` and `-`, at most 64 of them.
        description: what it does and when to use it.
        parameters: the JSON Schema of its arguments, an object; None for a tool without arguments.
        strict: whether the provider must enforce the schema, where it can; None leaves the provider's default.
        extra: provider fields that the codec adds to the wire tool as they are.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None
    extra: dict[str, Any] = {}


_NONE: Final = type(None)  # the first of a tuple is quick to check, and a union is slow
_FLAG: Final = (_NONE, bool)
_MAPPING: Final = (dict, Mapping)
_SETTINGS: Final[Mapping[str, tuple[Any, str]]] = {
    "max_tokens": ((_NONE, int), "a whole number"),
    "temperature": ((_NONE, float, int), "a number"),
    "top_p": ((_NONE, float, int), "a number"),
    "seed": ((_NONE, int), "a whole number"),
    "reasoning_effort": ((_NONE, str), "a text"),
    "tool_choice": ((_NONE, str), "a text"),
    "parallel_tool_calls": (_FLAG, "true or false"),
    "extra": (_MAPPING, "a mapping"),
    "headers": (_MAPPING, "a mapping"),
}
"""What the settings may be, and how an error says so."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the model should answer. None leaves the provider's default.

    Attributes:
        max_tokens: the most tokens it may write, reasoning included where the provider counts it.
        temperature, top_p: sampling.
        stop: texts that end the answer; they are not part of it.
        seed: for repeatable sampling, where the provider has it.
        reasoning_effort: none, minimal, low, medium, high, xhigh or max: each model knows some of them.
        tool_choice: auto, none, required, or the name of the tool that must be called.
        parallel_tool_calls: whether several calls may come in one answer.
        extra: provider fields that the codec adds to the request body as they are; they win.
        headers: HTTP headers added to the request; give credentials as `Secret`, which no `repr` shows.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    extra: Mapping[str, Any] = {}
    headers: Mapping[str, str | Secret] = {}

    def __post_init__(self) -> None:
        for name, (kinds, expected) in _SETTINGS.items():
            value = getattr(self, name)
            if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not _FLAG):
                raise ConfigError(f"the setting {name} must be {expected}, not {describe_type(value)}")
        given: Any = self.stop
        stop: tuple[Any, ...] = tuple(given) if type(given) in {tuple, list} else (given,)
        for text in stop:
            if not isinstance(text, str):
                raise ConfigError(f"the setting stop must be a text or a list of texts, not {describe_type(text)}")
        msgspec.structs.force_setattr(self, "stop", stop)

    def over(self, defaults: Settings) -> Settings:
        """Return these settings with what they leave open taken from `defaults`; `extra` and `headers` are merged."""
        mappings = defaults.extra, defaults.headers
        if self == _LEFT_OPEN and mappings == ({}, {}) and type(mappings[0]) is dict is type(mappings[1]):
            return defaults  # nothing to merge, and nothing that has to be copied
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        changed = {name: value for name, value in fields.items() if value is not None and value != ()}
        changed["extra"] = {**defaults.extra, **self.extra}
        changed["headers"] = {**defaults.headers, **self.headers}
        return msgspec.structs.replace(defaults, **changed)


_LEFT_OPEN: Final = Settings()


class OutputSpec(Protocol):
    """What a codec needs to know of the type that the caller wants back. `callm.parse.Output` is one."""

    name: str
    """A name for the schema: letters, digits, `_` and `-`, at most 64."""

    def json_schema(self, dialect: str) -> dict[str, Any] | None:
        """Return the schema in a provider's dialect (`openai`, `anthropic`, `json`), or None if it can't say it."""
        ...

    def describe(self) -> str:
        """Return the instructions that make a model without native support answer in the type."""
        ...

    def parse(self, text: str) -> Any:
        """Turn the model's text into the value, or raise `OutputError`."""
        ...


class Request(msgspec.Struct, frozen=True):
    """Everything that determines an answer.

    Attributes:
        messages: the conversation so far.
        model: `provider/model`; empty leaves it to the client.
        tools: what the model may call.
        output: the type wanted back; None for plain text.
        settings: how to answer.
        stream: whether to ask the provider for a stream.
        described: the prompt already holds the description of the output, so no codec adds it.
        options: what belongs to this call alone; it never changes the answer.
    """

    messages: tuple[Message, ...]
    model: str = ""
    tools: tuple[Tool, ...] = ()
    output: OutputSpec | None = None
    settings: Settings = Settings()
    stream: bool = False
    described: bool = False
    options: CallOptions = CallOptions()

    def __post_init__(self) -> None:
        given: Any = self.messages
        if type(given) is not tuple:
            if not hasattr(given, "__iter__"):
                raise ConfigError(f"a request's messages must be a text or a list, not {describe_type(given)}")
            several = (Message.user(given),) if isinstance(given, str) else tuple(given)
            msgspec.structs.force_setattr(self, "messages", several)
        messages: tuple[Any, ...] = self.messages
        if not messages:
            raise ConfigError("a request needs at least one message")
        for message in messages:
            if not isinstance(message, Message):
                raise ConfigError(f"a request's messages must be of type Message, not {describe_type(message)}")
        if type(self.tools) is not tuple:
            msgspec.structs.force_setattr(self, "tools", tuple(self.tools))
        tools: tuple[Any, ...] = self.tools
        for tool in tools:
            if not isinstance(tool, Tool):
                raise ConfigError(f"a request's tools must be of type Tool, not {describe_type(tool)}")


class Model(Protocol):
    """Anything that answers a request with events. An endpoint is one; every middleware is one around others."""

    @property
    def name(self) -> str:
        """What messages and `print` call it."""
        ...

    def stream(self, request: Request) -> Events:
        """Yield batches of events until `Finish`, or raise a `CallmError`. Close it with `aclose` to stop early."""
        ...
