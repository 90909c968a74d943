"""The examples are answers of the BAML runtime (baml-py 0.226.3) to the same types, unless a comment says that they are ours."""

import pytest

from callm.errors import ConfigError
from callm.schema import (
    AliasType,
    AnyType,
    BoolType,
    ClassType,
    Definition,
    EnumType,
    EnumValue,
    Field,
    FloatType,
    IntType,
    Layout,
    ListType,
    LiteralType,
    MapType,
    NullType,
    RefType,
    Schema,
    SchemaType,
    StringType,
    TupleType,
    describe,
    from_python,
    optional,
    union,
)

STRING, INT, FLOAT, BOOL, NULL = StringType(), IntType(), FloatType(), BoolType(), NullType()


def ref(name: str) -> RefType:
    return RefType(name)


def many(item: SchemaType) -> ListType:
    return ListType(item)


def words(item: SchemaType) -> MapType:
    return MapType(STRING, item)


def literal(value: str | int | bool) -> LiteralType:
    return LiteralType(value)


def enum(name: str, *values: str, alias: str | None = None) -> EnumType:
    return EnumType(name, tuple(map(EnumValue, values)), alias)


def cls(name: str, *fields: Field, description: str | None = None) -> ClassType:
    return ClassType(name, fields, description)


KNOWN: list[Definition] = [
    enum("S", "A", "B", "C"),
    enum("S2", "A", "B"),
    enum("L", "A1", "A2", "A3", "A4", "A5", "A6", "A7"),
    enum("LongEnumNameOver15", "A1", "A2", "A3", "A4", "A5", "A6", "A7"),
    EnumType("D", (EnumValue("P", None, "pp"), EnumValue("Q", "qq", "multi\n  line")), "Dee"),
    cls("N", Field("q", INT)),
    cls("DescribedN", Field("q", INT, description="dq")),
    cls("Node", Field("v", INT), Field("kids", many(ref("Node")))),
    cls("Other", Field("z", STRING)),
    cls("A1", Field("b", optional(ref("B1")))),
    cls("B1", Field("a", optional(ref("A1")))),
    AliasType("J", union(INT, STRING, many(ref("J")), words(ref("J")))),
    AliasType("Lst", many(ref("Lst"))),
    AliasType("Two", many(INT)),
    cls("Described", Field("a", INT, description="x"), description="class desc"),
    cls("Outer", Field("inner", ref("Described"))),
    cls("Empty"),
    cls("Odd", Field("a", INT, description=""), Field("b", STRING, "")),
    cls(
        "K",
        Field("a", INT),
        Field("b", optional(STRING), description="the b"),
        Field("c", ref("S"), "see"),
        Field("f", ref("N")),
        Field("g", many(ref("N"))),
        Field("h", optional(ref("N"))),
        Field("l", many(STRING), description="line1\nline2"),
        Field("m", many(union(INT, STRING))),
    ),
    cls(
        "K2",
        Field("see", ref("S")),
        Field("d", optional(ref("L"))),
        Field("f", ref("DescribedN")),
        Field("m", words(INT)),
    ),
    cls("X1", Field("y", ref("Y1")), Field("w", many(ref("W1")))),
    cls("W1", Field("v", ref("V1"))),
    cls("V1"),
    cls("Y1"),
]
DEFINITIONS = {definition.name: definition for definition in KNOWN}


def told(root: SchemaType, layout: Layout | None = None) -> str:
    return describe(Schema(root, DEFINITIONS), layout)


SCHEMA, ARRAY = "Answer in JSON using this schema:\n", "Answer with a JSON Array using this schema:\n"
ANY, VALUE = "Answer in JSON using any of these schemas:\n", "Answer using this specific value:\n"
SEVEN = "----\n- A1\n- A2\n- A3\n- A4\n- A5\n- A6\n- A7"
DEE = "Dee\n----\n- P: pp\n- qq: multi\n    line"
NODE = "Node {\n  v: int,\n  kids: Node[],\n}\n\n"
J = "J = int or string or J[] or map<string, J>\n\n"
K = """{
  a: int,
  // the b
  b: string or null,
  see: 'A' or 'B' or 'C',
  f: {
    q: int,
  },
  g: [
    {
      q: int,
    }
  ],
  h: {
    q: int,
  } or null,
  // line1
  // line2
  l: string[],
  m: (int or string)[],
}"""


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (STRING, ""),
        (INT, "Answer as an int"),
        (FLOAT, "Answer as a float"),
        (BOOL, "Answer as a bool"),
        (NULL, "Answer ONLY with null:\nnull"),
        (optional(STRING), SCHEMA + "string or null"),
        (many(INT), ARRAY + "int[]"),
        (many(NULL), ARRAY + "null[]"),
        (many(many(STRING)), ARRAY + "[\n  string[]\n]"),
        (many(union(INT, STRING)), ARRAY + "(int or string)[]"),
        (many(union(literal("a"), literal("b"))), ARRAY + '[\n  "a" or "b"\n]'),
        (many(literal("a")), ARRAY + '[\n  "a"\n]'),
        (many(optional(INT)), ARRAY + "(int or null)[]"),
        (optional(many(STRING)), SCHEMA + "string[] or null"),
        (optional(union(INT, STRING)), ANY + "int or string or null"),
        (union(NULL, INT, STRING), ANY + "int or string or null"),
        (many(words(many(INT))), ARRAY + "[\n  map<string, int[]>\n]"),
        (MapType(union(literal("a"), literal("b")), STRING), SCHEMA + 'map<"a" or "b", string>'),
        (literal(True), VALUE + "true"),
        (literal("x"), VALUE + '"x"'),
        (literal('x"y'), VALUE + '"x\\"y"'),
        (ref("S"), "Answer with any of the categories:\nS\n----\n- A\n- B\n- C"),
        (ref("D"), "Answer with any of the categories:\n" + DEE),
        (optional(ref("S")), SCHEMA + "'A' or 'B' or 'C' or null"),
        (many(ref("S")), ARRAY + "[\n  'A' or 'B' or 'C'\n]"),
        (many(ref("S2")), ARRAY + "'A' or 'B'[]"),
        (many(union(ref("S2"), INT)), ARRAY + "('A' or 'B' or int)[]"),
        (many(ref("L")), f"L\n{SEVEN}\n\n{ARRAY}L[]"),
        (
            many(ref("LongEnumNameOver15")),
            f"LongEnumNameOver15\n{SEVEN}\n\n{ARRAY}[\n  LongEnumNameOver15\n]",
        ),
        (optional(ref("D")), f"{DEE}\n\n{SCHEMA}Dee or null"),
        (union(ref("S"), ref("D")), f"{DEE}\n\n{ANY}'A' or 'B' or 'C' or Dee"),
        (many(many(ref("N"))), ARRAY + "[\n  [\n    {\n      q: int,\n    }\n  ]\n]"),
        (many(union(ref("N"), INT)), ARRAY + "({\n  q: int,\n} or int)[]"),
        (many(union(ref("N"), many(INT))), ARRAY + "({\n  q: int,\n} or int[])[]"),
        (many(union(ref("N"), words(INT))), ARRAY + "[\n  {\n    q: int,\n  } or map<string, int>\n]"),
        (words(ref("N")), SCHEMA + "map<string, {\n  q: int,\n}>"),
        (ref("K"), SCHEMA + K),
        (ref("Node"), f"{NODE}Answer in JSON using this schema: Node"),
        (many(ref("Node")), f"{NODE}{ARRAY}Node[]"),
        (optional(ref("Node")), f"{NODE}{SCHEMA}Node or null"),
        (union(ref("Node"), ref("Other")), f"{NODE}{ANY}Node or {{\n  z: string,\n}}"),
        (
            ref("A1"),
            "A1 {\n  b: B1 or null,\n}\n\nB1 {\n  a: A1 or null,\n}\n\nAnswer in JSON using this schema: A1",
        ),
        (ref("J"), f"{J}Answer in JSON using this schema: J"),
        (many(ref("J")), f"{J}{ARRAY}J[]"),
        (union(ref("J"), ref("Lst")), f"Lst = Lst[]\n{J}{ANY}J or Lst"),
        (ref("Two"), ARRAY + "int[]"),
        (ref("Described"), SCHEMA + "{\n  // class desc\n\n  // x\n  a: int,\n}"),
        (
            ref("Outer"),
            SCHEMA + "{\n  inner: {\n    // class desc\n  \n    // x\n    a: int,\n  },\n}",
        ),
        (ref("Empty"), SCHEMA + "{\n}"),
        (ref("Odd"), SCHEMA + "{\n  // \n  a: int,\n  : string,\n}"),
    ],
)
def test_a_type_reads_as_in_baml(root: SchemaType, expected: str) -> None:
    assert told(root) == expected


def _hoisted(word: str = "") -> str:
    k2 = "K2 {\n  see: 'A' or 'B' or 'C',\n  d: L or null,\n  f: DescribedN,\n  m: map<string, int>,\n}"
    return f"L\n{SEVEN}\n\n{word}{k2}\n\n{word}DescribedN {{\n  // dq\n  q: int,\n}}\n\nAnswer in JSON using this "


@pytest.mark.parametrize(
    ("root", "layout", "expected"),
    [
        (INT, Layout(prefix=None), "int"),
        (INT, Layout(prefix="As "), "As int"),
        (STRING, Layout(prefix="Say "), "Say string"),
        (STRING, Layout(prefix=None), ""),
        (ref("Node"), Layout(prefix=None), NODE + "Node"),
        (ref("N"), Layout(prefix="XX "), "XX {\n  q: int,\n}"),
        (ref("N"), Layout(prefix="a\n"), "a\n{\n  q: int,\n}"),
        (optional(STRING), Layout(or_splitter=" | "), SCHEMA + "string | null"),
        (optional(ref("S")), Layout(or_splitter=" | "), SCHEMA + "'A' | 'B' | 'C' | null"),
        (ref("S2"), Layout(enum_value_prefix="* ", prefix=None), "S2\n----\n* A\n* B"),
        (ref("S2"), Layout(enum_value_prefix=None, prefix=None), "S2\n----\nA\nB"),
        (many(ref("S2")), Layout(always_hoist_enums=True), f"S2\n----\n- A\n- B\n\n{ARRAY}S2[]"),
        (words(INT), Layout(map_style="object"), SCHEMA + "{string: int}"),
        (ref("N"), Layout(quote_class_fields=True), SCHEMA + '{\n  "q": int,\n}'),
        (ref("K2"), Layout(hoist_classes=True), _hoisted() + "schema: K2"),
        (
            ref("K2"),
            Layout(hoist_classes=True, hoisted_class_prefix="schema"),
            _hoisted("schema ") + "schema: K2",
        ),
        (ref("Outer"), Layout(hoist_classes=("Described",), prefix=None), (
            "Described {\n  // class desc\n\n  // x\n  a: int,\n}\n\n{\n  inner: Described,\n}"
        )),
        (ref("N"), Layout(hoisted_class_prefix="interface"), "Answer in JSON using this interface:\n{\n  q: int,\n}"),
        (
            ref("J"),
            Layout(hoisted_class_prefix="type"),
            f"type {J}Answer in JSON using this type: J",
        ),
        (
            ref("X1"),
            Layout(hoist_classes=True, prefix=""),
            "X1 {\n  y: Y1,\n  w: W1[],\n}\n\nW1 {\n  v: V1,\n}\n\nV1 {\n}\n\nY1 {\n}\n\nX1",
        ),
    ],
)  # fmt: skip
def test_the_layout_changes_what_it_names(root: SchemaType, layout: Layout, expected: str) -> None:
    assert told(root, layout) == expected


def test_a_class_that_is_not_there_cant_be_hoisted() -> None:
    with pytest.raises(ConfigError, match='Cannot hoist class "Zed" because it does not exist'):
        told(ref("K"), Layout(hoist_classes=("Zed",)))


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (AnyType(), SCHEMA + "any"),
        (many(AnyType()), ARRAY + "any[]"),
        (TupleType((INT, STRING)), ARRAY + "[int, string]"),
        (many(TupleType((INT, STRING))), ARRAY + "[\n  [int, string]\n]"),
        (StringType(format="date"), "Answer as a string (ISO 8601 date)"),
        (StringType(limits={"minLength": 3}), "Answer as a string (at least 3 characters)"),
        (IntType(limits={"minimum": 1, "maximum": 5}), "Answer as an int (at least 1, at most 5)"),
        (IntType(description="the\nstars"), "Answer as an int (the stars)"),
        (many(StringType(format="uuid")), ARRAY + "[\n  string (UUID)\n]"),
        (ListType(INT, "set"), ARRAY + "int[] (no duplicates)"),
        (RefType("N", description="a note"), SCHEMA + "{\n  q: int,\n} (a note)"),
    ],
)
def test_what_baml_has_no_words_for_is_said_in_parentheses(root: SchemaType, expected: str) -> None:
    """Ours."""
    assert told(root) == expected


def test_the_names_of_an_enum_of_numbers_are_told() -> None:
    """Ours."""
    rating = EnumType("Rating", (EnumValue("BAD", 1), EnumValue("GOOD", 2, "very")))
    schema = Schema(ref("Rating"), {"Rating": rating})
    assert describe(schema, Layout(prefix=None)) == "Rating\n----\n- 1: BAD\n- 2: GOOD, very"


def test_a_field_that_may_be_missing_may_be_null() -> None:
    """Ours: BAML has optional types instead."""
    schema = Schema(
        ref("C"), {"C": cls("C", Field("a", INT, required=False), Field("b", optional(INT), required=False))}
    )
    assert describe(schema, Layout(prefix=None)) == "{\n  a: int or null,\n  b: int or null,\n}"


def test_python_types_are_described_too() -> None:
    assert describe(from_python(list[int])) == ARRAY + "int[]"
