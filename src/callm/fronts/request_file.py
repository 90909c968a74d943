"""A request written as a JSON file, for the command line and for other programs.

    {"messages": [{"role": "user", "content": "Hello, how are you?", "kind": "text"}],
     "provider": "openai", "model": "gpt-3.5-turbo",
     "parameters": {"temperature": 0.7, "max_tokens": 100, "api_base": "https://..."}}

Everything that is wrong with a file is told at once, by name, before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias, cast

import msgspec

from callm.errors import ConfigError, quote
from callm.types import Image, Message, Part, Request, Role, Settings, Text

FILE_ROLES: Final = ("system", "developer", "user", "assistant")
"""The roles a message of a file may have. A tool's answer needs the call it answers, for which a file has no place."""

KINDS: Final = ("text", "image_url")
"""What a message's content may be: text, or the address of an image."""

MAX_FILE: Final = 50_000_000
"""How many characters a file may have."""

_Check: TypeAlias = Callable[[Any], str | None]
_Object: TypeAlias = dict[str, Any]


class RequestFile(msgspec.Struct, frozen=True):
    """What a request file says.

    Attributes:
        request: the request, its model as `provider/model`.
        api_base: the base URL to use instead of the provider's, or None.
    """

    request: Request
    api_base: str | None = None


def parse_request_file(text: str | bytes, name: str = "the request file") -> RequestFile:
    """Read the `text` of a request file; `name` is what errors call it.

    Raises:
        ConfigError: it is no JSON, or a field is unknown, missing or of a wrong type. The message names each of them.
    """
    data = _load(text, name)
    problems = _Problems(name)
    fields = problems.fields(data, _FIELDS, "")
    parameters = problems.fields(fields.get("parameters", {}), PARAMETERS, "parameters.")
    messages = [problems.message(item, index) for index, item in enumerate(fields.get("messages", ()))]
    problems.check()
    settings = {name: value for name, value in parameters.items() if name in Settings.__struct_fields__}
    stop = settings.pop("stop", ())
    request = Request(
        tuple(message for message in messages if message is not None),
        model=_model(fields),
        settings=Settings(
            **settings,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            extra={name: parameters[name] for name in _EXTRA if name in parameters},
        ),
    )
    return RequestFile(request, parameters.get("api_base"))


def _model(fields: Mapping[str, Any]) -> str:
    provider, model = fields.get("provider"), cast("str", fields["model"])
    return model if provider is None else f"{provider}/{model}"


def _load(text: str | bytes, name: str) -> Any:
    if len(text) > MAX_FILE:
        raise ConfigError(f"{name} is larger than {MAX_FILE:,} characters")
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(
            decoded.removeprefix("\ufeff"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{name} is no JSON: {error.msg}, line {error.lineno}, column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is no JSON: {quote(str(error))}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> _Object:
    found: _Object = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the field {key[:40]!r} stands there twice")
        found[key] = value
    return found


def _no_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


class _Problems:
    """Collects what is wrong with a file."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[str] = []

    def fields(self, data: Any, known: Mapping[str, _Check], path: str) -> _Object:
        """Return the fields of `data` that are right, and note the others."""
        if not isinstance(data, dict):
            self._found.append(f"{path.removesuffix('.') or 'the file'} must be an object, not {_kind(data)}")
            return {}
        right: _Object = {}
        for name, value in cast("_Object", data).items():
            expected = known[name](value) if name in known else None
            if name not in known:
                self._found.append(f"unknown field {quote(path + name, 80)!r}: {_suggest(name, known)}")
            elif expected is not None:
                self._found.append(f"{path}{name} must be {expected}, not {_kind(value)}")
            else:
                right[name] = value
        missing = [name for name in _REQUIRED if name in known and name not in cast("_Object", data)]
        self._found.extend(f"{path}{name} is missing" for name in missing)
        return right

    def message(self, data: Any, index: int) -> Message | None:
        """Return the message of `data`, or None after noting what is wrong with it."""
        before = len(self._found)
        fields = self.fields(data, _MESSAGE, f"messages[{index}].")
        if len(self._found) > before:
            return None
        role, content = cast("Role", fields["role"]), cast("str", fields["content"])
        if fields.get("kind", "text") == "text":
            return Message(role, (Text(content),))
        if not content.startswith(("https://", "http://", "data:image/")):
            self._found.append(f"messages[{index}].content must be a URL of an image, because its kind is image_url")
            return None
        parts: tuple[Part, ...] = (Image(url=content),)
        return Message(role, parts)

    def check(self) -> None:
        """Raise if anything was noted."""
        if len(self._found) == 1:
            raise ConfigError(f"{self._name}: {self._found[0]}")
        if self._found:
            lines = "".join(f"\n  {line}" for line in self._found)
            raise ConfigError(f"{self._name} has {len(self._found)} problems:{lines}")


def _suggest(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name.lower(), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _kind(value: Any) -> str:
    """Return how an error names a wrong value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value!r:.40}"
    if isinstance(value, str):
        return f"the text {quote(value, 40)!r}" if value.strip() else "an empty text"
    return "an object" if isinstance(value, dict) else "a list" if value else "an empty list"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "text"


def _name(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "text"


def _provider(value: Any) -> str | None:
    right = isinstance(value, str) and value.strip() and not {"/", ":"} & set(value)
    return None if right else "the name of a provider"


def _one_of(*choices: str) -> _Check:
    return lambda value: None if value in choices else f"one of {', '.join(choices)}"


def _number(low: float, high: float) -> _Check:
    def check(value: Any) -> str | None:
        right = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return None if right else f"a number from {low:g} to {high:g}"

    return check


def _integer(low: int | None = None) -> _Check:
    def check(value: Any) -> str | None:
        right = isinstance(value, int) and not isinstance(value, bool) and (low is None or value >= low)
        return None if right else "a whole number" + ("" if low is None else f" of {low} or more")

    return check


def _items(value: Any) -> str | None:
    return None if isinstance(value, list) and value else "a list of at least one message"


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "an object"


def _stops(value: Any) -> str | None:
    right = _is_text(value) or (isinstance(value, list) and all(map(_is_text, cast("list[object]", value))))
    return None if right else "a text or a list of texts"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _address(value: Any) -> str | None:
    return None if isinstance(value, str) and value.startswith(("https://", "http://")) else "a URL"


_FIELDS: Final[Mapping[str, _Check]] = {
    "messages": _items,
    "provider": _provider,
    "model": _name,
    "parameters": _object,
}
_MESSAGE: Final[Mapping[str, _Check]] = {"role": _one_of(*FILE_ROLES), "content": _text, "kind": _one_of(*KINDS)}
_REQUIRED: Final = ("messages", "model", "role", "content")
_EXTRA: Final[Mapping[str, _Check]] = {
    "frequency_penalty": _number(-2, 2),
    "presence_penalty": _number(-2, 2),
}
PARAMETERS: Final[Mapping[str, _Check]] = {
    "temperature": _number(0, 2),
    "max_tokens": _integer(1),
    "top_p": _number(0, 1),
    "stop": _stops,
    "seed": _integer(),
    "reasoning_effort": _name,
    "api_base": _address,
    **_EXTRA,
}
"""The fields that `parameters` may have, and what tells whether a value is right."""
