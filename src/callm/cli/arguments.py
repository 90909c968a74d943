"""What stands on the command line to the arguments of a function."""

from __future__ import annotations

import enum
import json
import sys
import types
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Union, cast, get_args, get_origin

import click
import msgspec

from callm.errors import CallmError
from callm.prompt.signature import Parameter
from callm.types import Audio, File, Image

_MEDIA: Final[tuple[type[Image | Audio | File], ...]] = (Image, Audio, File)
_TEXT: Final = (str, Any, object)


def read_arguments(parameters: Mapping[str, Parameter], pairs: Iterable[str], input_file: str | None) -> dict[str, Any]:
    """Return the arguments of a call by name; `pairs` win over the file.

    Args:
        parameters: those of the function.
        pairs: `name=value`, or `name=@file` for the contents of a file, `name=@-` for those of stdin.
        input_file: the path of a JSON file with an object of arguments, `-` for stdin.

    Raises:
        UsageError: an argument is unknown, missing, or not of its parameter's type.
    """
    values: dict[str, Any] = {}
    for name, value in (_load(input_file) if input_file else {}).items():
        values[name] = _checked(_known(parameters, name), value)
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator:
            raise click.UsageError(f"--arg {pair!r} has no value: write --arg name=value or --arg name=@file")
        values[name] = _converted(_known(parameters, name), text)
    missing = [name for name, parameter in parameters.items() if parameter.required and name not in values]
    if missing:
        raise click.UsageError(f"missing {', '.join(missing)}: write {' '.join(f'--arg {it}=...' for it in missing)}")
    return values


def read_file(path: str) -> bytes:
    """Return the bytes of a file, or of stdin for `-`.

    Raises:
        UsageError: it can't be read.
    """
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise click.UsageError(f"can't read {path!r}: {error.strerror}") from error


def _load(path: str) -> dict[str, Any]:
    try:
        values = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--input {path!r} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise click.UsageError(f"--input {path!r} must be a JSON object of arguments by name")
    return cast("dict[str, Any]", values)


def _known(parameters: Mapping[str, Parameter], name: str) -> Parameter:
    if name in parameters:
        return parameters[name]
    close = get_close_matches(name, parameters, n=1)
    known = ", ".join(parameters) or "none"
    raise click.UsageError(
        f"unknown argument {name!r}: " + (f"did you mean {close[0]!r}?" if close else f"the function's are {known}")
    )


def _converted(parameter: Parameter, text: str) -> Any:
    """Return the value of a parameter from the text of the command line."""
    path = text[1:] if text.startswith("@") else None
    media = _media(parameter.annotation)
    if media is not None:
        return _medium(parameter, media, text) if path is None else _from_file(parameter, media, path)
    if path is not None:
        try:
            text = read_file(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _wrong(parameter, f"{path!r} is not UTF-8") from error
    if _takes_text(parameter.annotation):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text  # an enum's value, a date: what needs no quotes
    return _checked(parameter, value)


def _checked(parameter: Parameter, value: Any) -> Any:
    """Return JSON `value` as the parameter's type."""
    media = _media(parameter.annotation)
    if media is not None and isinstance(value, str):
        return _medium(parameter, media, value)
    try:
        return _validate(parameter.annotation, value)
    except (ValueError, TypeError) as error:
        raise _wrong(parameter, str(error)) from error


def _validate(annotation: Any, value: Any) -> Any:
    try:
        from pydantic import PydanticUserError, TypeAdapter, ValidationError  # noqa: PLC0415  # for typed arguments only
    except ImportError:  # an extra
        return msgspec.convert(value, annotation)
    try:
        return TypeAdapter[Any](annotation).validate_python(value)
    except PydanticUserError:  # it refuses typing.TypedDict before Python 3.12, and msgspec's structs always
        return msgspec.convert(value, annotation)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise ValueError("; ".join(_problem(it["loc"], it["msg"]) for it in problems)) from error


def _problem(path: Iterable[int | str], message: str) -> str:
    place = ".".join(map(str, path))
    return f"{place}: {message}" if place else message


def _takes_text(annotation: Any) -> bool:
    """Tell whether any text at all is a value of the type, so that it is taken as it stands."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _takes_text(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return any(map(_takes_text, get_args(annotation)))
    return annotation in _TEXT


def _media(annotation: Any) -> type[Image | Audio | File] | None:
    """Return the type of media that a parameter takes, if it takes any."""
    own = next((media for media in _MEDIA if media is annotation), None)
    return own or next((found for it in get_args(annotation) if (found := _media(it))), None)


def _medium(parameter: Parameter, media: type[Image | Audio | File], text: str) -> Image | Audio | File:
    if not text.startswith(("https://", "http://", "data:")):
        raise _wrong(parameter, "write a URL, or @ and the path of a file")
    return media(url=text)


def _from_file(parameter: Parameter, media: type[Image | Audio | File], path: str) -> Image | Audio | File:
    try:
        return File(data=read_file(path), name=Path(path).name) if media is File else media(data=read_file(path))
    except CallmError as error:
        raise _wrong(parameter, str(error)) from error


def _wrong(parameter: Parameter, reason: str) -> click.UsageError:
    kind = parameter.annotation
    name = kind.__name__ if isinstance(kind, type) and not isinstance(kind, enum.EnumMeta) else str(kind)
    return click.UsageError(f"argument {parameter.name!r} ({name}): {reason}")
