"""Tokens to declarations."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.baml.parser import parse, parse_type
from callm.baml.source import Problem, Source
from callm.baml.syntax import (
    AliasNode,
    BlockNode,
    ClassNode,
    EnumNode,
    ListOf,
    LiteralValue,
    MapOf,
    NamedType,
    OptionalOf,
    UnionOf,
)


def read(text):
    problems: list[Problem] = []
    return parse(Source(text, "t.baml"), problems), [str(problem) for problem in problems]


def shape(node: Any) -> str:
    text = ""
    match node:
        case NamedType():
            text = node.name
        case LiteralValue():
            text = repr(node.value)
        case ListOf():
            text = f"[{shape(node.item)}]"
        case OptionalOf():
            text = f"{shape(node.of)}?"
        case MapOf():
            text = f"<{shape(node.key)}:{shape(node.value)}>"
        case UnionOf():
            text = f"({'|'.join(map(shape, node.members))})"
    return text + "".join(f"@{attribute.name}" for attribute in node.attributes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", "int"),
        ("int?", "int?"),
        ("int[][]?", "[[int]]?"),
        ('"a" | 5 | -1 | true | false | null', "('a'|5|-1|True|False|null)"),
        ("map<string, int[]>[]", "[<string:[int]>]"),
        ("(int | string)[]", "[(int|string)]"),
        ("((int))", "int"),
        ("(int @check(a, {{ this > 0 }}) | string @stream.done)", "(int@check|string@stream.done)"),
        ('"a" @check(x, {{ this }}) | "b"', "('a'@check|'b')"),
        ("int |\n  string", "(int|string)"),
        ('map<"a" | "b", Foo?>', "<('a'|'b'):Foo?>"),
    ],
)
def test_types(text, expected):
    problems: list[Problem] = []
    node = parse_type(Source(text), problems)
    assert not problems
    assert shape(node) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a type, found the end of the file"),
        ("int?[]", "a list of optional items is written (T | null)[]"),
        ("1.5", "a fraction can't be a type: 1.5"),
        ("map<string>", "expected ',' between the key and the value of a map"),
        ("map<string, int", "expected '>' to close the map"),
        ("(int", "expected ')' to close the parenthesis"),
        ("int string", "expected nothing behind the type, found 'string'"),
        ("int[", "expected ']' behind '['"),
        ("(" * 150 + "int" + ")" * 150, "types are nested more than 100 deep"),
    ],
)
def test_wrong_types_say_what_was_expected(text, words):
    problems: list[Problem] = []
    assert parse_type(Source(text), problems) is None
    assert words in problems[0].message


def test_a_class_has_fields_attributes_and_methods_that_are_passed_over():
    (node,), problems = read(
        'class A {\n  x int @alias("y") @description(#"d"#)\n  // comment\n  z string[]\n    @check(l, {{ this }})\n'
        "  function f() -> int { { } }\n  @@dynamic\n}"
    )
    assert not problems
    assert isinstance(node, ClassNode)
    assert [(field.name, shape(field.type)) for field in node.fields] == [("x", "int"), ("z", "[string]")]
    assert [[attribute.name for attribute in field.attributes] for field in node.fields] == [
        ["alias", "description"],
        ["check"],
    ]
    assert [argument.kind for argument in node.fields[1].attributes[0].arguments] == ["word", "expression"]
    assert [attribute.name for attribute in node.attributes] == ["dynamic"]


def test_an_enum_has_values():
    (node,), problems = read('enum E {\n  A @alias(bare word)\n  B @skip\n  @@alias("x")\n}')
    assert not problems
    assert isinstance(node, EnumNode)
    assert [value.name for value in node.values] == ["A", "B"]
    assert node.values[0].attributes[0].arguments[0].text == "bare word"


def test_an_alias_has_a_type():
    (node,), problems = read("type J = int | J[]")
    assert not problems
    assert isinstance(node, AliasNode)
    assert shape(node.type) == "(int|[J])"


def test_other_blocks_are_kept_whole():
    nodes, problems = read(
        'function F(a: string) -> A {\n  client "x/y"\n  prompt #"{{ a }} }"#\n}\n'
        "client<llm> C {\n  provider openai\n  options { a { b 1 } }\n}\n"
        'template_string T(a: string) #"{{ a }}"#\n'
        "test X {\n  functions [F]\n}\nretry_policy R { max_retries 2 }\ngenerator g { }\n"
    )
    assert not problems
    assert all(isinstance(node, BlockNode) for node in nodes)
    assert [(node.kind, node.name) for node in nodes] == [
        ("function", "F"), ("client", "C"), ("template_string", "T"), ("test", "X"), ("retry_policy", "R"), ("generator", "g"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class A {\n a: int\n}", "t.baml:2:3: a field is written `name type`, without ':', '=' or ','"),
        ("class A {\n a int,\n}", "expected the end of the line, found ','"),
        ("class A {\n a int = 5\n}", "expected the end of the line, found '='"),
        ("class A {\n a int", "this class has no closing '}'"),
        ("class A\n", "expected '{' after the name of the class"),
        ("class {\n}", "expected the name of the class"),
        ("enum E {\n A, B\n}", "without ',' or '='"),
        ("enum E { A B }", "expected the end of the line"),
        ("enum E {\n A = 1\n}", "without ',' or '='"),
        ("enum E {\n 5\n}", "expected a value"),
        ("type = int", "expected the name of the type"),
        ("type T int", "expected '=' after the name of the type"),
        ("junk", "this line is invalid: a declaration begins with one of class, enum, type, function"),
        ("/* no */", "this line is invalid"),
        ("# no", "this line is invalid"),
        ("function F", "this function has no body"),
        ("client C { a {", "this block has no closing '}'"),
        ("class A {\n x int @\n}", "expected the name of an attribute"),
        ("class A {\n x int @a.\n}", "expected a name behind the '.'"),
        ("class A {\n x int @alias(\n}", "expected"),
        ("class A {\n x int @alias(,)\n}", "expected an argument"),
    ],
)
def test_a_wrong_line_says_where_and_what_was_expected(text, words):
    _, problems = read(text)
    assert any(words in problem for problem in problems), problems


def test_one_run_finds_every_problem_and_keeps_what_is_right():
    nodes, problems = read("class A {\n a: int\n b string\n c T?[]\n}\njunk here\nclass B {\n x int\n}\n")
    assert len(problems) == 3
    assert [node.name for node in nodes] == ["A", "B"]
    assert [field.name for field in nodes[0].fields] == ["b"]


@given(st.text(alphabet='class enumtypABx{}()[]<>@|?#"/=,: \n', max_size=200))
def test_no_text_breaks_the_parser(text):
    read(text)
