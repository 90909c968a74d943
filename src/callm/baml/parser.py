"""Tokens to declarations, by recursive descent. A wrong line is noted and skipped, so one run finds every problem.

Read here: `class`, `enum` and `type`. Other blocks are kept as `BlockNode`, for those who know what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from callm.baml.lexer import Kind, Token, tokenize
from callm.baml.source import Problem, Source, Span
from callm.baml.syntax import (
    AliasNode,
    Argument,
    Attribute,
    BlockNode,
    ClassNode,
    Declaration,
    EnumNode,
    FieldNode,
    ListOf,
    LiteralValue,
    MapOf,
    NamedType,
    OptionalOf,
    TypeNode,
    UnionOf,
    ValueNode,
)

_BLOCKS: Final = ("function", "client", "retry_policy", "template_string", "test", "generator", "dynamic")
_KEYWORDS: Final = ("class", "enum", "type", *_BLOCKS)
_CONSTANTS: Final = {"true": True, "false": False}
_MAX_DEPTH: Final = 100
"""How deep types may be nested."""


class _Wrong(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(source: Source, problems: list[Problem]) -> list[Declaration]:
    """Return the declarations of `source` in order; note in `problems` what is wrong."""
    return _Parser(source, problems).file()


def parse_type(source: Source, problems: list[Problem]) -> TypeNode | None:
    """Return the one type that `source` holds, or None with a problem noted."""
    return _Parser(source, problems).only_type()


class _Parser:
    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        self._tokens = tokenize(source, problems)
        self._at = 0
        self._depth = 0

    # -- tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        return self._token.kind in ("punctuation", "name") and self._token.text in texts

    def _take(self, *texts: str) -> Token | None:
        return self._next() if self._is(*texts) else None

    def _expect(self, text: str, where: str) -> Token:
        if not self._is(text):
            raise self._wrong(f"expected '{text}' {where}, found {_shown(self._token)}")
        return self._next()

    def _expect_kind(self, kind: Kind, what: str) -> Token:
        if self._token.kind != kind:
            raise self._wrong(f"expected {what}, found {_shown(self._token)}")
        return self._next()

    def _wrong(self, message: str, span: Span | None = None) -> _Wrong:
        return _Wrong(Problem(self._source, span or self._token.span, message))

    def _skip_newlines(self) -> None:
        while self._token.kind == "newline":
            self._at += 1

    def _skip_line(self) -> None:
        while self._token.kind not in ("newline", "end") and not self._is("}"):
            self._at += 1

    # -- blocks

    def file(self) -> list[Declaration]:
        """Return every declaration."""
        found: list[Declaration] = []
        self._skip_newlines()
        while self._token.kind != "end":
            try:
                found.append(self._declaration())
            except _Wrong as wrong:
                self._problems.append(wrong.problem)
                self._skip_to_declaration()
            self._skip_newlines()
        return found

    def _skip_to_declaration(self) -> None:
        self._next()
        while self._token.kind != "end":
            before = self._tokens[self._at - 1]
            if before.kind == "newline" and self._is(*_KEYWORDS):
                return
            self._next()

    def _declaration(self) -> Declaration:
        keyword = self._token
        match keyword.text if keyword.kind == "name" else "":
            case "class":
                return self._class()
            case "enum":
                return self._enum()
            case "type":
                return self._alias()
            case text if text in _BLOCKS:
                return self._block()
            case _:
                raise self._wrong(
                    "this line is invalid: a declaration begins with one of " + ", ".join(_KEYWORDS[:4]) + ", ..."
                )

    def _class(self) -> ClassNode:
        start, name = self._next(), self._expect_kind("name", "the name of the class")
        fields: list[FieldNode] = []
        attributes: list[Attribute] = []
        end = self._lines(lambda: self._class_line(fields, attributes), "class")
        return ClassNode(name.text, tuple(fields), tuple(attributes), start.span.to(end), self._source)

    def _enum(self) -> EnumNode:
        start, name = self._next(), self._expect_kind("name", "the name of the enum")
        values: list[ValueNode] = []
        attributes: list[Attribute] = []
        end = self._lines(lambda: self._enum_line(values, attributes), "enum")
        return EnumNode(name.text, tuple(values), tuple(attributes), start.span.to(end), self._source)

    def _lines(self, line: Callable[[], None], kind: str) -> Span:
        opening = self._expect("{", f"after the name of the {kind}")
        while True:
            self._skip_newlines()
            if closing := self._take("}"):
                return closing.span
            if self._token.kind == "end":
                raise self._wrong(f"this {kind} has no closing '}}'", opening.span)
            try:
                line()
                if self._token.kind not in ("newline", "end") and not self._is("}"):
                    raise self._wrong(f"expected the end of the line, found {_shown(self._token)}")
            except _Wrong as wrong:
                self._problems.append(wrong.problem)
                self._skip_line()

    def _class_line(self, fields: list[FieldNode], attributes: list[Attribute]) -> None:
        if self._is("@@"):
            attributes.append(self._attribute())
            return
        if self._is("function"):
            self._block()
            return
        name = self._expect_kind("name", "a field: `name type`, with attributes like @alias(...) behind it")
        if self._is(":", ",", "="):
            raise self._wrong("a field is written `name type`, without ':', '=' or ','")
        kind = self._type()
        found = self._attributes(across_lines=True)
        fields.append(FieldNode(name.text, kind, found, name.span.to(self._tokens[self._at - 1].span)))

    def _enum_line(self, values: list[ValueNode], attributes: list[Attribute]) -> None:
        if self._is("@@"):
            attributes.append(self._attribute())
            return
        name = self._expect_kind("name", "a value: a name, with attributes like @description(...) behind it")
        if self._is(",", "="):
            raise self._wrong("the values of an enum stand on lines of their own, without ',' or '='")
        found = self._attributes(across_lines=True)
        values.append(ValueNode(name.text, found, name.span.to(self._tokens[self._at - 1].span)))

    def _alias(self) -> AliasNode:
        start, name = self._next(), self._expect_kind("name", "the name of the type")
        self._expect("=", "after the name of the type")
        kind = self._type()
        attributes = self._attributes(across_lines=True)
        return AliasNode(name.text, _with(kind, attributes), start.span.to(kind.span), self._source)

    def _block(self) -> BlockNode:
        start = self._next()
        name = ""
        while self._token.kind != "end":
            token = self._next()
            if token.kind == "name" and not name and token.text != "llm":
                name = token.text
            if token.kind == "raw":
                return BlockNode(start.text, name, start.span.to(token.span), self._source)
            if token.text == "{" and token.kind == "punctuation":
                return BlockNode(start.text, name, start.span.to(self._close(token)), self._source)
        raise self._wrong(f"this {start.text} has no body", start.span)

    def _close(self, opening: Token) -> Span:
        depth = 1
        while self._token.kind != "end":
            token = self._next()
            if token.kind == "punctuation":
                depth += (token.text == "{") - (token.text == "}")
            if depth == 0:
                return token.span
        raise self._wrong("this block has no closing '}'", opening.span)

    # -- attributes

    def _attributes(self, *, across_lines: bool = False) -> tuple[Attribute, ...]:
        found: list[Attribute] = []
        while True:
            mark = self._at
            if across_lines:
                self._skip_newlines()
            if not self._is("@"):
                self._at = mark
                return tuple(found)
            found.append(self._attribute())

    def _attribute(self) -> Attribute:
        start = self._next()
        name = self._expect_kind("name", "the name of an attribute")
        text, end = name.text, name.span
        while self._take("."):
            part = self._expect_kind("name", "a name behind the '.'")
            text, end = f"{text}.{part.text}", part.span
        arguments: list[Argument] = []
        if self._take("("):
            while not self._is(")"):
                arguments.append(self._argument())
                self._skip_newlines()
                if not self._take(","):
                    break
                self._skip_newlines()
            end = self._expect(")", "behind the arguments of the attribute").span
        return Attribute(text, tuple(arguments), start.span.to(end))

    def _argument(self) -> Argument:
        self._skip_newlines()
        token = self._next()
        if token.kind in ("string", "raw", "expression", "number"):
            return Argument(token.kind, token.text, token.span)
        if token.kind in ("newline", "end") or token.text in (")", ","):
            raise self._wrong("expected an argument: a string, a name or {{ an expression }}", token.span)
        last = token
        while self._token.kind not in ("newline", "end") and not self._is(")", ","):
            last = self._next()
        span = token.span.to(last.span)
        return Argument("word", self._source.text[span.start : span.end], span)

    # -- types

    def only_type(self) -> TypeNode | None:
        """Return the type that is all of the source."""
        try:
            kind = self._attributed()
            self._expect_kind("end", "nothing behind the type")
        except _Wrong as wrong:
            self._problems.append(wrong.problem)
            return None
        return kind

    def _attributed(self) -> TypeNode:
        """Read a type whose members may have attributes: between parentheses, or as what a function returns."""
        members: list[TypeNode] = []
        while True:
            self._skip_newlines()
            kind = self._type()
            members.append(_with(kind, self._attributes(across_lines=True)))
            self._skip_newlines()
            if not self._take("|"):
                break
        return members[0] if len(members) == 1 else UnionOf(tuple(members), members[0].span.to(members[-1].span))

    def _type(self) -> TypeNode:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._wrong(f"types are nested more than {_MAX_DEPTH} deep")
        members = [self._postfix()]
        while self._take("|"):
            self._skip_newlines()
            members.append(self._postfix())
        self._depth -= 1
        if len(members) == 1:
            return members[0]
        return UnionOf(tuple(members), members[0].span.to(members[-1].span))

    def _postfix(self) -> TypeNode:
        kind = self._primary()
        optional: Span | None = None
        while self._is("[", "?"):
            token = self._next()
            if token.text == "?":
                optional = token.span
                kind = OptionalOf(kind, kind.span.to(token.span))
                continue
            end = self._expect("]", "behind '['")
            if optional is not None:
                raise self._wrong("a list of optional items is written (T | null)[]", optional)
            kind = ListOf(kind, kind.span.to(end.span))
        return kind

    def _primary(self) -> TypeNode:
        token = self._token
        if token.kind == "string":
            return LiteralValue(token.text, self._next().span)
        if token.kind == "number":
            if "." in token.text:
                raise self._wrong(f"a fraction can't be a type: {token.text}")
            return LiteralValue(int(token.text), self._next().span)
        if self._take("("):
            kind = self._attributed()
            self._expect(")", "to close the parenthesis")
            return kind
        name = self._expect_kind("name", "a type")
        if name.text in _CONSTANTS:
            return LiteralValue(_CONSTANTS[name.text], name.span)
        if name.text == "map" and self._take("<"):
            return self._map(name)
        return NamedType(name.text, name.span)

    def _map(self, name: Token) -> MapOf:
        key = self._type()
        self._expect(",", "between the key and the value of a map")
        value = self._type()
        end = self._expect(">", "to close the map")
        return MapOf(key, value, name.span.to(end.span))


def _with(kind: TypeNode, attributes: tuple[Attribute, ...]) -> TypeNode:
    if not attributes:
        return kind
    return msgspec.structs.replace(kind, attributes=kind.attributes + attributes)


def _shown(token: Token) -> str:
    match token.kind:
        case "end":
            return "the end of the file"
        case "newline":
            return "the end of the line"
        case _:
            return repr(token.text[:40])
