"""The arithmetic of the benchmark: rounds to medians, medians to ratios, ratios to targets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final, TypeAlias

Facts: TypeAlias = Mapping[str, float]
"""One round: what was measured, by name. Times are microseconds for one unit, memory is bytes."""


@dataclass(slots=True)
class Results:
    """Everything a run found.

    Attributes:
        rounds: case to peer (with its variant) to what each round gave.
        failed: case to peer to why it has no figures.
        pieces: case to peer to how many times its consumer's loop ran in one stream.
    """

    rounds: dict[str, dict[str, list[Facts]]] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    pieces: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, case: str, peer: str, facts: Facts) -> None:
        """Keep what a round gave."""
        self.rounds.setdefault(case, {}).setdefault(peer, []).append(facts)

    def fail(self, case: str, peer: str, reason: str) -> None:
        """Keep why a peer has no figures for a case."""
        self.failed.setdefault(case, {})[peer] = reason

    def median(self, case: str, peer: str, fact: str = "cpu") -> float | None:
        """Return the median over the rounds, or None where nothing was measured."""
        values = [facts[fact] for facts in self.rounds.get(case, {}).get(peer, []) if fact in facts]
        return median(values) if values else None

    def spread(self, case: str, peer: str, fact: str = "cpu") -> float | None:
        """Return how far the rounds lie apart: (largest - smallest) / median."""
        values = [facts[fact] for facts in self.rounds.get(case, {}).get(peer, []) if fact in facts]
        return (max(values) - min(values)) / median(values) if values and median(values) else None

    def ratio(self, case: str, peer: str, other: str, fact: str = "cpu") -> float | None:
        """Return how many times `other` goes into `peer`, or None where one was not measured."""
        one, two = self.median(case, peer, fact), self.median(case, other, fact)
        return one / two if one is not None and two else None

    def difference(self, case: str, peer: str, other: str, fact: str = "cpu") -> float | None:
        """Return what `peer` costs over `other`, or None where one was not measured."""
        one, two = self.median(case, peer, fact), self.median(case, other, fact)
        return one - two if one is not None and two is not None else None

    def over_bare(self, case: str, peer: str) -> float | None:
        """Return what the same costs more than with the bare endpoint: the median of the rounds' own figures, or None."""
        return self.median(case, peer, "over")

    def growth(self, case: str, peer: str) -> float | None:
        """Return how many times as much a text costs as its half: the median of the rounds' own ratios, or None."""
        ratios = [facts["cpu"] / facts["half"] for facts in self.rounds.get(case, {}).get(peer, []) if facts["half"]]
        return median(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that the project wants to reach.

    Attributes:
        title: what it is about.
        limit: the figure.
        at_most: whether the limit is an upper one.
        unit: what to write behind figures.
        measure: takes the results and returns the figure, or None where it was not measured.
    """

    title: str
    limit: float
    at_most: bool
    unit: str
    measure: Callable[[Results], float | None]

    def reached(self, value: float) -> bool:
        """Return whether `value` is good enough."""
        return value <= self.limit if self.at_most else value >= self.limit


def _ratio(case: str, peer: str, other: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(case, peer, other)


def _median(case: str, peer: str, fact: str) -> Callable[[Results], float | None]:
    return lambda results: results.median(case, peer, fact)


def _stack(row: str) -> Callable[[Results], float | None]:
    return lambda results: results.over_bare("resilience", f"callm:{row}")


def _sync_overhead(results: Results) -> float | None:
    # The portal's loop is uvloop where that is installed, so the async call to compare with is the one on uvloop.
    return results.difference("call-1", "callm:sync", "callm:uvloop")


def _flatness(results: Results) -> float | None:
    """Return what a delta of a long answer costs, over one of a short."""
    long, short = results.median("grow-128", "callm"), results.median("grow-2", "callm")
    return long / short if long is not None and short else None


def _dearest_delta(results: Results) -> float | None:
    values = [results.median(f"grow-{size}", "callm") for size in (2, 8, 32, 128)]
    found = [value for value in values if value is not None]
    return max(found) if len(found) == len(values) else None


def _steepest(results: Results) -> float | None:
    """Return the growth of the text that grows most."""
    texts = [peer for peer in results.rounds.get("growth", {}) if peer != _LONG]
    found = [growth for peer in texts if (growth := results.growth("growth", peer)) is not None]
    return max(found) if found else None


_LONG: Final = "callm:plain-5120"
_WAITERS: Final = "callm:waiters-10000"


def _at_most(title: str, limit: float, unit: str, measure: Callable[[Results], float | None]) -> Target:
    return Target(title, limit, at_most=True, unit=unit, measure=measure)


def _at_least(title: str, limit: float, unit: str, measure: Callable[[Results], float | None]) -> Target:
    return Target(title, limit, at_most=False, unit=unit, measure=measure)


TARGETS: Final = (
    _at_most("call, 64 at a time: callm / bare aiohttp", 1.7, "x", _ratio("call-64", "callm", "aiohttp")),
    _at_least("call, 64 at a time: openai / callm", 8, "x", _ratio("call-64", "openai", "callm")),
    _at_most("delta of 200: callm / bare aiohttp", 3, "x", _ratio("stream-200", "callm", "aiohttp")),
    _at_least("delta of 200: openai / callm", 12, "x", _ratio("stream-200", "openai", "callm")),
    _at_least("delta of 200: anthropic / callm", 3, "x", _ratio("stream-200", "anthropic", "callm:anthropic")),
    _at_most("delta of 2,000: callm / bare aiohttp", 3, "x", _ratio("stream-2000", "callm", "aiohttp")),
    _at_least("delta of 2,000: openai / callm", 12, "x", _ratio("stream-2000", "openai", "callm")),
    _at_least("delta of 2,000: anthropic / callm", 3, "x", _ratio("stream-2000", "anthropic", "callm:anthropic")),
    _at_most("paced delta: callm / bare aiohttp", 1.6, "x", _ratio("paced", "callm", "aiohttp")),
    _at_least("typed call, 1 at a time: openai's parse / callm", 8, "x", _ratio("typed-1", "openai", "callm")),
    _at_least("typed call, 1 at a time: baml-py / callm", 25, "x", _ratio("typed-1", "baml-py", "callm")),
    _at_least("typed call, 64 at a time: openai's parse / callm", 8, "x", _ratio("typed-64", "openai", "callm")),
    _at_least("typed call, 64 at a time: baml-py / callm", 25, "x", _ratio("typed-64", "baml-py", "callm")),
    *(
        _at_most(f"parse {size} KB in a fence: callm / pydantic", 2, "x", _ratio(f"read-{size}", "callm", "pydantic"))
        for size in (1, 10, 100)
    ),
    _at_least("parse 10 KB in a fence: baml-py / callm", 40, "x", _ratio("read-10", "baml-py", "callm")),
    _at_least("damaged 10 KB: json-repair / callm", 5, "x", _ratio("repair-10", "json-repair", "callm")),
    _at_least(
        "damaged 10 KB, typed: json-repair / callm", 5, "x", _ratio("repair-10", "json-repair:typed", "callm:typed")
    ),
    _at_most("twice a hostile text of 512 KB: time(2n) / time(n), the worst", 2.3, "x", _steepest),
    _at_most("partial value per delta, the dearest of 2 to 128 KB", 6, "us", _dearest_delta),
    _at_most("partial value per delta: 128 KB / 2 KB", 1.3, "x", _flatness),
    _at_most("partial values of 5 MB: time(2n) / time(n)", 2.3, "x", lambda results: results.growth("growth", _LONG)),
    _at_least("typed stream of 32 KB: instructor / callm", 50, "x", _ratio("partials-32", "instructor", "callm")),
    _at_least("typed stream of 32 KB: pydantic-ai / callm", 50, "x", _ratio("partials-32", "pydantic-ai", "callm")),
    _at_least("typed stream of 32 KB: baml-py / callm", 1, "x", _ratio("partials-32", "baml-py", "callm")),
    _at_most("full stack over bare endpoint, call in memory", 60, "us", _stack("memory-call-full")),
    _at_most("full stack over bare endpoint, call to a server", 60, "us", _stack("server-call-full")),
    _at_most("full stack over bare endpoint, event in memory", 1, "us", _stack("memory-stream-full")),
    _at_most("full stack over bare endpoint, event from a server", 1, "us", _stack("server-stream-full")),
    _at_most("full stack over bare endpoint, event alone in its read, in memory", 1, "us", _stack("memory-reads-full")),
    _at_most("rate limiter, nobody waits", 3, "us", _median("resilience", "callm:limiter", "cpu")),
    _at_most("rate limiter, 10,000 waiters / 5,000", 2.3, "x", lambda results: results.growth("resilience", _WAITERS)),
    _at_most("call that hits the cache in memory", 40, "us", _median("resilience", "callm:memory-hit", "cpu")),
    _at_most("call that hits the cache in SQLite", 120, "us", _median("resilience", "callm:sqlite-hit", "cpu")),
    _at_most("cold start: import, client, first call", 200, "ms", _median("cold", "callm", "total")),
    _at_most("cold start: peak memory", 45, "MB", _median("cold", "callm", "megabytes")),
    _at_most("import callm", 50, "ms", _median("cold", "callm", "import")),
    _at_most("modules that import callm loads", 199, "", _median("cold", "callm", "modules")),
    _at_most("callm --help", 150, "ms", _median("help", "callm", "wall")),
    _at_most("sync call over async call", 80, "us", _sync_overhead),
    _at_most("distributions of the core", 15, "", _median("install", "callm", "distributions")),
)
"""The figures that the project has set itself."""
