import pytest

from callm.schema import (
    AliasType,
    ClassType,
    Definition,
    EnumType,
    EnumValue,
    Field,
    IntType,
    ListType,
    MapType,
    RefType,
    Schema,
    SchemaType,
    StringType,
    TupleType,
    optional,
    union,
)
from callm.schema.graph import alias_cycles, children, class_cycles, parts, reachable, recursive, references

INT, STRING = IntType(), StringType()


def schema(root: str, **refers: list[str]) -> Schema:
    """Classes by name; each refers to the others named; lower-case names are aliases."""
    definitions: dict[str, Definition] = {}
    for name, others in refers.items():
        if name.islower():
            definitions[name] = AliasType(name, union(INT, *(ListType(RefType(other)) for other in others)))
        else:
            fields = tuple(Field(f"f{number}", optional(RefType(other))) for number, other in enumerate(others))
            definitions[name] = ClassType(name, fields)
    return Schema(RefType(root), definitions)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (INT, ()),
        (RefType("A"), ()),
        (ListType(INT), (INT,)),
        (MapType(STRING, INT), (STRING, INT)),
        (TupleType((INT, STRING)), (INT, STRING)),
        (union(INT, STRING), (INT, STRING)),
    ],
)
def test_a_type_has_the_children_that_were_written(of: SchemaType, expected: tuple[SchemaType, ...]) -> None:
    assert children(of) == expected


def test_a_definition_has_its_parts() -> None:
    assert parts(ClassType("A", (Field("x", INT), Field("y", STRING)))) == (INT, STRING)
    assert parts(AliasType("A", INT)) == (INT,)
    assert parts(EnumType("E", (EnumValue("A"),))) == ()


def test_each_reference_counts() -> None:
    of = MapType(STRING, union(RefType("A"), ListType(RefType("A")), TupleType((RefType("B"),))))
    assert list(references(of)) == ["A", "A", "B"]


def test_only_what_the_root_needs_is_reachable() -> None:
    found = schema("A", Z=["A"], C=[], B=["A", "C"], A=["B"])
    assert list(reachable(found)) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (schema("A", A=["B"], B=[]), set()),
        (schema("A", A=["A"]), {"A"}),
        (schema("A", A=["B"], B=["A"]), {"A", "B"}),
        (schema("A", A=["B"], B=["C", "B"], C=[]), {"B"}),
        (schema("A", A=["b"], b=["A"]), {"A", "b"}),
        (schema("A", A=[], B=["B"]), set()),
    ],
)
def test_what_contains_itself_is_found(found: Schema, expected: set[str]) -> None:
    assert recursive(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (schema("A", A=["B"], B=[]), []),
        (schema("A", Top=["B"], A=["B"], B=["A"]), [["A", "B"]]),
        (schema("A", A=["C"], B=["A"], C=["B"]), [["A", "C", "B"]]),
        (schema("A", A=["C", "B"], B=["A"], C=["A"]), [["A", "B", "C"]]),
        (schema("A", A=["A", "B"], B=["B"]), [["B"], ["A"]]),
        (schema("A", A=["b"], b=["A"]), [["A"]]),
        (schema("A", Top=["C"], A=["B", "C", "D"], B=["C"], C=["A", "B"], D=["A"]), [["A", "B", "D", "C"]]),
    ],
)
def test_classes_that_contain_one_another_come_in_the_order_of_prompts(
    found: Schema, expected: list[list[str]]
) -> None:
    assert class_cycles(found) == expected


def test_an_alias_contains_itself_only_without_a_class_between() -> None:
    found = schema("a", a=["b", "C"], b=["a"], C=["d"], d=["C"])
    assert alias_cycles(found) == [["a", "b"]]


def test_a_long_chain_of_classes_is_no_depth_for_python() -> None:
    names = [f"N{number}" for number in range(5000)]
    chain = {name: [other] for name, other in zip(names, [*names[1:], names[0]], strict=True)}
    assert [len(cycle) for cycle in class_cycles(schema("N0", **chain))] == [5000]
