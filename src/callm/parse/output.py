"""`Output[T]`: a declared type, what providers and prompts are told of it, and how a model's text becomes its value.

1. Text that is JSON of the type as it stands, alone or in a fence, is decoded in one pass and is never altered.
2. Else the ways of reading the text are weighed (`locate`, `coerce`); every repair is listed; the policy says which are allowed.
3. What was found is built into the declared classes, whose own validation has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any, Final, Generic, TypeVar, cast, overload

import msgspec

from callm.errors import (
    QUOTED_BODY,
    QUOTED_TEXT,
    ConstraintError,
    OutputError,
    quote,
)
from callm.parse.build import NotBuilt, build
from callm.parse.coerce import MAX_STEPS, Coercion, name_of
from callm.parse.fast import strict_decoder
from callm.parse.found import SILENT, Found, Kind, Miss
from callm.parse.locate import MAX_TEXT, check_size, clear_json, locate, unwrap_value
from callm.parse.partial import Partial
from callm.parse.policies import FAITHFUL, Policy
from callm.parse.tree import Fixed, Readings
from callm.schema import WRAPPER, Layout, Schema, SchemaType, describe, from_python, json_schema
from callm.schema.graph import children, parts

T = TypeVar("T")

_OPENING: Final = re.compile(r"```[a-zA-Z0-9 ]*\r?\n")
_CLOSING: Final = re.compile(r"\n[ \t]*```")
_GOT: Final = re.compile(r"got '([^'.]+)")
_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Change(msgspec.Struct, frozen=True):
    """One repair: what kind, where in the value, and what stood there."""

    kind: Kind
    path: str
    cost: int
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.path or 'the value'}: {self.kind.replace('_', ' ')}{f' ({self.detail[:100]})' if self.detail else ''}"


class Check(msgspec.Struct, frozen=True):
    """A check that a value was put to."""

    path: str
    label: str
    expression: str
    passed: bool


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """A value with its story.

    Attributes:
        value: the value.
        repairs: what had to be done to read it, in the order of the value; empty if it was written as declared.
        checks: the checks of the type, and whether the value passes them.
        candidate: where in the text it stood: `whole` (all of it is the JSON), `fence`, `prose`, or `text` (no JSON).
    """

    value: T
    repairs: tuple[Change, ...] = ()
    checks: tuple[Check, ...] = ()
    candidate: str = "whole"


class Output(Generic[T]):
    """A type that a model answers in. `parse` turns its text into the value."""

    @overload
    def __init__(self, annotation: type[T], *, name: str = ..., policy: Policy = ...) -> None: ...
    @overload
    def __init__(self: Output[Any], annotation: Any, *, name: str = ..., policy: Policy = ...) -> None: ...
    def __init__(self, annotation: Any, *, name: str = "output", policy: Policy = FAITHFUL) -> None:
        """Describe `annotation`.

        Args:
            annotation: a Python type, or a `Schema`.
            name: what providers call the schema.
            policy: which repairs are allowed.

        Raises:
            ConfigError: a part of the type can't come from JSON.
        """
        self.annotation = annotation
        self.name = _NAME.sub("_", name)[:64] or "output"
        self.policy = policy
        self.schema = (
            annotation if isinstance(annotation, Schema) else from_python(annotation, f"return type of {name}")
        )
        self._dialects: dict[str, dict[str, Any] | None] = {}
        self._fast: Callable[[str], Any] | None = None
        self._slow = not policy.allowed or isinstance(annotation, Schema) or has_constraints(self.schema)

    def __repr__(self) -> str:
        return f"Output({self.annotation!r})"

    @cached_property
    def wrapped(self) -> bool:
        """Whether providers are asked for the value as `{"value": ...}`, because their roots must be objects."""
        plain = self.schema.is_object or self.schema.is_text
        return not plain and any(self.json_schema(dialect) is not None for dialect in ("openai", "anthropic"))

    def json_schema(self, dialect: str) -> dict[str, Any] | None:
        """See `OutputSpec.json_schema`; plain text has none."""
        if self.schema.is_text:
            return None
        if dialect not in self._dialects:
            self._dialects[dialect] = json_schema(self.schema, dialect)
        return self._dialects[dialect]

    def describe(self, **options: Any) -> str:
        """Return the instructions that a prompt shows; `options` are those of `ctx.output_format`."""
        return describe(self.schema, Layout(**options) if options else None)

    def parse(self, text: str) -> T:
        """Turn a model's text into the value.

        Raises:
            OutputError: the text does not hold a value of the type, or only with repairs that the policy refuses.
        """
        if self.schema.is_text:
            return cast("T", text)
        if not self._slow and len(text) <= MAX_TEXT:
            if self._fast is None:
                self._fast = strict_decoder(self.annotation, self.schema)
            for candidate in _candidates(text):
                try:
                    return cast("T", self._fast(candidate))
                except (ValueError, RecursionError):
                    pass
                json = clear_json(candidate, self.policy.allowed)
                if json is not None:
                    try:
                        return cast("T", self._fast(json))
                    except (ValueError, RecursionError):
                        pass
        return self.read(text).value

    def read(self, text: str) -> Reading[T]:
        """Turn a model's text into the value and say how it was read.

        Raises:
            OutputError: as `parse`.
        """
        if self.schema.is_text:
            return Reading(cast("T", text), candidate="text")
        check_size(len(text))
        try:
            node = locate(text)
        except OutputError as error:
            raise self._refuse(text, [error.message]) from error
        coercion = Coercion(
            self.schema, constants="constant" in self.policy.allowed, steps=max(MAX_STEPS, len(text) // 4)
        )
        inner = unwrap_value(node, WRAPPER) if self.wrapped else None
        try:
            result = Miss("") if inner is None else coercion.root(inner)
            if isinstance(result, Miss):
                result = coercion.root(node)
        except OutputError as error:
            raise self._refuse(text, [error.message]) from error
        if isinstance(result, Miss):
            raise self._refuse(text, list(result.lines()))
        return self._told(text, result, _place(node, result))

    def _told(self, text: str, found: Found, candidate: str) -> Reading[T]:
        repairs: list[Change] = []
        checks: list[Check] = []
        for path, part in found.walk():
            repairs += [Change(r.kind, path, r.cost, r.detail) for r in part.repairs if r.kind not in SILENT]
            checks += [Check(path, check.label or "", check.expression, passed) for check, passed in part.checks]
        refused = [str(repair) for repair in repairs if repair.kind not in self.policy.allowed]
        if refused:
            raise self._refuse(text, [f"not allowed by the policy {self.policy.name!r}: {line}" for line in refused])
        try:
            value = build(found)
            if getattr(self.annotation, "__pydantic_root_model__", False):
                value = self.annotation.model_validate(value)
            return Reading(cast("T", value), tuple(repairs), tuple(checks), candidate)
        except NotBuilt as error:
            raise self._refuse(text, error.problems) from error
        except ValueError as error:  # the root model's own validation
            raise self._refuse(text, [str(error)]) from error

    def _refuse(self, text: str, problems: list[str]) -> OutputError:
        kind = ConstraintError if any("the assert" in problem for problem in problems) else OutputError
        expected = name_of(self.schema.resolve(self.schema.root))
        around = _around(text, problems, QUOTED_TEXT)
        shown = quote(_around(text, problems, QUOTED_BODY))
        return kind(
            f"the answer is not {expected}: {'; '.join(problems[:5])}. The answer: {shown}",
            text=around,
            problems=problems,
        )

    def partial(self) -> Partial[T]:
        """Return a parser of the value so far: `feed(delta)` returns it, or None if nothing is new."""
        return Partial(self)


def _place(node: Any, found: Found) -> str:
    """Return where in the text the value stood."""
    if found.has("fenced"):
        return "fence"
    if isinstance(node, Readings):
        return "prose" if isinstance(node.options[0], Fixed) else "whole"
    return "text"


def _around(text: str, problems: list[str], size: int) -> str:
    """Return at most `size` characters of the text: around what the first problem names, else around the first bracket."""
    named = _GOT.search(problems[0]) if problems else None
    spot = text.find(named[1]) if named is not None else -1
    if spot < 0:
        bracket = re.search(r"[{\[]", text)
        spot = bracket.start() if bracket is not None else 0
    start = max(0, min(spot - size // 2, len(text) - size))
    return text[start : start + size]


def has_constraints(schema: Schema) -> bool:
    """Whether some part of a schema has asserts or checks, which no native decoder knows."""

    def constrained(of: SchemaType) -> bool:
        return bool(of.constraints) or any(constrained(child) for child in children(of))

    return constrained(schema.root) or any(
        bool(getattr(definition, "constraints", ())) or any(constrained(part) for part in parts(definition))
        for definition in schema.definitions.values()
    )


@lru_cache(maxsize=256)
def output_of(annotation: Any, policy: Policy) -> Output[Any]:
    """Return the output of an annotation, made once."""
    return Output(annotation, policy=policy)


@overload
def parse_text(annotation: type[T], text: str, *, policy: Policy | None = ...) -> T: ...
@overload
def parse_text(annotation: Any, text: str, *, policy: Policy | None = ...) -> Any: ...
def parse_text(annotation: Any, text: str, *, policy: Policy | None = None) -> Any:
    """Turn a model's text into a value of a type. It is `callm.parse`.

    Args:
        annotation: the type, or a `Schema`.
        text: what the model wrote.
        policy: which repairs are allowed; `callm.FAITHFUL` when not given.

    Raises:
        OutputError: the text holds no value of the type, or only with repairs that the policy refuses.
    """
    return output_of(annotation, policy or FAITHFUL).parse(text)


@overload
def parse_partial(annotation: type[T], chunks: Iterable[str], *, policy: Policy = ...) -> Iterator[T]: ...
@overload
def parse_partial(annotation: Any, chunks: Iterable[str], *, policy: Policy = ...) -> Iterator[Any]: ...
def parse_partial(annotation: Any, chunks: Iterable[str], *, policy: Policy = FAITHFUL) -> Iterator[Any]:
    """Yield the value of `annotation` as it grows with the pieces of a model's text. For those who bring their own client.

    Args:
        annotation: the type, or a `Schema`.
        chunks: the pieces of the text.
        policy: which repairs are allowed.
    """
    partial = Output(annotation, policy=policy).partial()
    for chunk in chunks:
        value = partial.feed(chunk)
        if value is not None:
            yield value


def _candidates(text: str) -> list[str]:
    """Return what may be JSON as it stands: the whole text, or the one fenced block in it."""
    start = text.lstrip()[:1]
    if start != "`" and (start in '{["-0123456789' or "```" not in text):
        return [text]
    block, end = _block(text, 0)
    return [text] if block is None or _block(text, end)[0] is not None else [block]


def _block(text: str, at: int) -> tuple[str | None, int]:
    """Return what stands in the next fence, and where that ends."""
    opening = _OPENING.search(text, at)
    closing = _CLOSING.search(text, opening.end()) if opening is not None else None
    if opening is None or closing is None:
        return None, at
    return text[opening.end() : closing.start()], closing.end()
