"""What each provider's JSON Schema can say: one row for each dialect.

OpenAI: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
Anthropic: https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs
"""

from __future__ import annotations

from typing import Final

import msgspec

_ALL_KEYWORDS: Final = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
        "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    }
)  # fmt: skip


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one kind of JSON Schema.

    Attributes:
        root_object: whether the root must be an object, so that anything else is wrapped as `{"value": ...}`.
        all_required: whether every property must be required, so that one that may be missing becomes nullable.
        recursion: whether a type may contain itself.
        free_form: whether there may be objects with unknown keys, and values of any type.
        prefix_items: whether the items of an array may have different types by position.
        ref_siblings: whether other keywords may stand beside `$ref`.
        defaults: whether `default` may be used.
        distinct_first_keys: whether the objects of an `anyOf` must begin with different properties.
        formats: the values of `format` that may be used; None for all.
        keywords: the other keywords that may be used. What they would have said goes into the description.
        max_min_items: the highest value `minItems` may have, or None.
        max_depth, max_properties, max_enum_values: the size beyond which a schema is refused, or None.
    """

    root_object: bool = False
    all_required: bool = False
    recursion: bool = True
    free_form: bool = True
    prefix_items: bool = True
    ref_siblings: bool = True
    defaults: bool = True
    distinct_first_keys: bool = False
    formats: frozenset[str] | None = None
    keywords: frozenset[str] = _ALL_KEYWORDS
    max_min_items: int | None = None
    max_depth: int | None = None
    max_properties: int | None = None
    max_enum_values: int | None = None


DIALECTS: Final = {
    "json": Dialect(),
    "openai": Dialect(
        root_object=True,
        all_required=True,
        free_form=False,
        prefix_items=False,
        ref_siblings=False,
        defaults=False,
        distinct_first_keys=True,
        formats=frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}),
        keywords=frozenset(
            {
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "multipleOf",
                "pattern",
                "minItems",
                "maxItems",
            }
        ),
        max_depth=10,
        max_properties=5000,
        max_enum_values=1000,
    ),
    "anthropic": Dialect(
        root_object=True,
        recursion=False,
        free_form=False,
        prefix_items=False,
        ref_siblings=False,
        defaults=False,
        formats=frozenset(
            {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
        ),
        keywords=frozenset({"minItems"}),
        max_min_items=1,
    ),
}
"""The dialects by name: `json` is plain JSON Schema, draft 2020-12."""
