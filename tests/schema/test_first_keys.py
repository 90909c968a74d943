import pytest

from callm.schema import AliasType, ClassType, Definition, Field, IntType, ListType, LiteralType, RefType, Schema, union
from callm.schema.first_keys import first_keys


def cls(name: str, *keys: str, **literals: str) -> ClassType:
    fields = [Field(key, LiteralType(literals[key]) if key in literals else IntType()) for key in keys]
    return ClassType(name, tuple(fields))


def chosen(*classes: ClassType, extra: tuple[Definition, ...] = ()) -> dict[str, str] | None:
    root = union(*(RefType(one.name) for one in classes))
    return first_keys(Schema(root, {one.name: one for one in (*classes, *extra)}))


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([cls("A", "x")], {}),
        ([cls("A", "x"), cls("B", "y")], {"A": "x", "B": "y"}),
        ([cls("A", "x", "y"), cls("B", "x", "z")], {"A": "x", "B": "z"}),
        ([cls("A", "x"), cls("B", "x")], None),
        ([cls("A", "x", "t", t="a"), cls("B", "x", "t", t="b")], {"A": "t", "B": "t"}),
        ([cls("A", "t", t="a"), cls("B", "t", t="a")], None),
        ([cls("A"), cls("B", "x")], {"B": "x"}),
    ],
)
def test_the_classes_of_a_union_begin_differently(classes: list[ClassType], expected: dict[str, str] | None) -> None:
    assert chosen(*classes) == expected


def test_unions_inside_are_seen_through_aliases() -> None:
    alias = AliasType("Pet", union(RefType("A"), RefType("B")))
    holder = ClassType("Holder", (Field("pets", ListType(union(RefType("Pet"), IntType()))),))
    definitions = {one.name: one for one in (cls("A", "x", "y"), cls("B", "x", "z"), alias, holder)}
    assert first_keys(Schema(RefType("Holder"), definitions)) == {"A": "x", "B": "z"}


def test_a_class_in_two_unions_must_begin_in_one_way() -> None:
    """B begins with z beside A; beside C that is taken."""
    one = Field("one", union(RefType("A"), RefType("B")))
    other = Field("other", union(RefType("C"), RefType("B")))
    classes = [cls("A", "x"), cls("B", "x", "z"), cls("C", "z"), ClassType("Holder", (other, one))]
    assert first_keys(Schema(RefType("Holder"), {one.name: one for one in classes})) is None
