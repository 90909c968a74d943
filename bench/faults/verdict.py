"""What an observation means. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from bench.faults.asking import TIMEOUT
from bench.faults.cases import NONE, WHOLE

Verdict = Literal[
    "right answer", "wrong success", "nothing", "error", "foreign error", "hangs", "unfinished", "no answer"
]

GRACE: Final = 2.0
"""Seconds beyond the timeout after which a request that is still waited for counts as hanging."""

_PERSON: Final = {"name": "Ada Lovelace", "city": "London", "age": 36}


@dataclass(frozen=True, slots=True)
class Observation:
    """What one peer did under one fault.

    Attributes:
        told: what its process printed: `returned` or `raised`, `own`, `callers`, `says`, and
            `seconds` and `megabytes`; None where it had to be killed.
        times: when the server saw each request, in seconds after the first.
        held: how long the peer waited for each request that the server did not answer to the end.
    """

    told: dict[str, Any] | None
    times: list[float]
    held: list[float]

    @property
    def first_wait(self) -> float | None:
        """Seconds between the first two requests."""
        return next((second - first for first, second in pairwise(self.times)), None)


def judge(case: str, seen: Observation) -> Verdict:
    """Return what an observation of the fault called `case` means."""
    if max(seen.held, default=0.0) > TIMEOUT + GRACE:
        return "hangs"
    if seen.told is None:
        return "unfinished"
    if "raised" in seen.told:
        return "no answer" if case == NONE else _fault(seen.told)
    value = seen.told["returned"]
    if case == NONE:
        return "right answer" if value in (WHOLE, _PERSON) else "no answer"
    return "nothing" if value in (None, "") else "wrong success"


def _fault(told: dict[str, Any]) -> Verdict:
    if told["own"]:
        return "error"
    return "nothing" if told["callers"] else "foreign error"
