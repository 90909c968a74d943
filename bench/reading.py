"""The work of the cases that need no server: a text, a peer's `Reader`, and what it does with the text.

Who reads all of the text so far at each delta would take minutes for a long answer. Where a run would take more than a
round may, such a peer's partial values are taken at some of the deltas only, spread evenly over the text; its figure is
the mean of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Final

from bench import texts
from bench.cases import Case, Entry
from bench.peer import Grown, Reader, load

FEWEST: Final = 2
"""At how many places in a text a partial value is taken at least."""

_INCREMENTAL: Final = ("callm",)
"""Who keeps what it has read: its deltas can't be left out."""


class WrongAnswer(Exception):
    """A peer did not return what the text or the mock server said."""


class Reading:
    """A text that a peer reads, ready to be repeated.

    Attributes:
        units: what the time of a run is divided by: deltas, or 1.
        pieces: how many partial values a run gives; None where it reads a text at once.
        half: the same with a text of half the length, where the growth is measured.
    """

    concurrency = 1

    def __init__(self, work: Callable[[], Any], expected: object, *, units: int = 1) -> None:
        """Repeat `work`, whose value is `expected`; None is not looked at."""
        self.units = units
        self.pieces: int | None = None
        self.half: Reading | None = None
        self._work = work
        self._expected = expected
        self._last: Any = None

    def run(self, times: int) -> None:
        """Do the work `times` times."""
        for _ in range(times):
            self._last = self._work()

    def check(self) -> None:
        """Compare the last answer with what the text says.

        Raises:
            WrongAnswer: they differ.
        """
        value = self._last
        if isinstance(value, Grown):
            self.pieces, value = value
        if self._expected is not None and not texts.matches(value, self._expected):
            raise WrongAnswer(f"expected {str(self._expected)[:80]!r}, got {str(value)[:80]!r}")

    def close(self) -> None:
        """Do nothing: nothing is open."""


def open_reading(case: Case, entry: Entry, seconds: float) -> Reading:
    """Prepare a peer for a case. What can be sampled is, if it would take more than `seconds`."""
    module = load(entry.peer)
    if case.kind != "growth":
        reader = module.Reader(entry.variant)
        if case.kind == "grow":
            return _growing(reader, case.scenario, None if entry.peer in _INCREMENTAL else seconds)
        return _whole(getattr(reader, case.kind), case.scenario)
    reader = module.Reader("")
    kind, _, size = entry.variant.rpartition("-")
    names = [f"{kind}-{number}" for number in (int(size), int(size) // 2)]
    whole, half = [_growing(reader, name, None) if kind == "plain" else _whole(reader.repair, name) for name in names]
    whole.half = half
    whole.units = half.units = 1
    return whole


def _whole(method: Callable[[str], Any], name: str) -> Reading:
    text = texts.text(name)
    return Reading(lambda: method(text), texts.value(name))


def _growing(reader: Reader, name: str, seconds: float | None) -> Reading:
    text, value = texts.text(name), texts.value(name)
    pieces = list(texts.deltas(text))
    count = len(pieces) if seconds is None else _affordable(reader, text, value, seconds)
    if count >= len(pieces):
        return Reading(lambda: _grow(reader, pieces), value, units=len(pieces))
    some = texts.samples(text, count)
    return Reading(lambda: _grow(reader, some), None, units=count)  # the last of them is not the text's end


def _affordable(reader: Reader, text: str, value: object, seconds: float) -> int:
    """Return how many partial values can be taken in `seconds`, and look at what the whole text gives."""
    _grow(reader, (text[: texts.DELTA],))  # what is only done once
    half = len(text) // 2
    trial = Reading(lambda: _grow(reader, (text[:half], text[half:])), value)
    started = perf_counter()
    trial.run(1)
    spent = perf_counter() - started
    trial.check()
    return max(FEWEST, int(seconds / (spent / 3)))  # a text of half the length, and one of twice the mean


def _grow(reader: Reader, pieces: Iterable[str]) -> Grown:
    count, last = 0, None
    for value in reader.grow(pieces):
        count, last = count + 1, value
    return Grown(count, last)
