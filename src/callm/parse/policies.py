"""How much may be repaired: a policy is a set of allowed kinds of repair.

`strict` allows none. `faithful` allows everything that reads what the model wrote, and nothing that loses or invents.
`lenient` allows all that BAML does, which takes `None` for a text.
"""

from __future__ import annotations

from typing import Final, get_args

import msgspec

from callm.parse.found import Kind

ALL: Final[frozenset[Kind]] = frozenset(get_args(Kind))
LOSSY: Final[frozenset[Kind]] = frozenset(
    {
        "default_for_missing",  # a required list, map or null that the model did not write
        "default_for_bad_value",  # what the model wrote for an optional field did not fit, and was dropped
        "dropped_item",  # an item of a list did not fit
        "dropped_entry",  # an entry of a map did not fit
        "null_for_value",  # null for something that is not null
        "rounded",  # 3.5 to 4
        "clamped",  # a whole number beyond 64 bits
        "first_item",  # one of several values was taken
        "most_frequent",  # several names, and the one that came most often was taken
        "unknown_key",  # a key of a map that is none of those declared
        "unfinished",  # the text ended inside a number, string or word
    }
)
"""What loses something the model wrote, or makes something up."""


class Policy(msgspec.Struct, frozen=True):
    """A name and the kinds of repair that it allows. Make your own: `Policy("mine", FAITHFUL.allowed - {"substring"})`."""

    name: str
    allowed: frozenset[Kind]


STRICT: Final = Policy("strict", frozenset())
FAITHFUL: Final = Policy("faithful", ALL - LOSSY)
LENIENT: Final = Policy("lenient", ALL - {"constant"})
