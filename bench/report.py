"""Results to Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import texts
from bench.cases import CASES, COLD, HELP, Case, Entry
from bench.results import TARGETS, Results

_COUNTED: Final = """\
**What is counted.** Client CPU is user and system time of all threads of the client's process (`getrusage`), from the
start of the first call to the end of the last, divided by calls or by deltas sent. It includes building and sending the
request, so a stream's figure holds its share of the call. The mock server is another process, on another core where there
are two. Each peer has a process of its own; rounds go around all peers in turn; figures are medians over the rounds, and
*spread* is (largest - smallest) / median; a peer that needs seconds for one text gets fewer rounds. Wall time is for the same loop: where several calls run at once it is the time
between two answers, and a paced stream waits for its server. Memory is the process's peak.

**Bare aiohttp** posts a dict and takes the text out of `json.loads(body)`; of a stream it only takes the bytes
(`async for data in response.content.iter_any()`), undecoded. `aiohttp:lines` iterates the same body line by line;
`aiohttp:json` also decodes each event with `json` and takes its text, as a hand-written loop does. `aiohttp:anthropic`
reads the bytes of the Anthropic format.

**Streams** deliver their deltas one by one to an `async for` loop. *Loop runs* is how often it ran for one stream: baml-py
gives the value so far and skips those overtaken, bare aiohttp gives reads. `anthropic` and `callm:anthropic` speak the
Anthropic format, the others OpenAI's. `:uvloop` is the same on uvloop, `:sync` the synchronous surface.

**Texts** are orders of the typed call with as many lines as the size asks for, parsed with no server; a type is prepared
once. *pydantic* parses what a regular expression finds in the fence. The damaged text has single quotes, bare keys, trailing
commas, comments and no end. `callm` and `json-repair` repair it without a type, `:typed` into the model.

**Partial values** come from deltas of 4 characters. jiter, pydantic, instructor, partial-json-parser and baml-py read the
text so far at each delta. Where a run of that would take longer than a round, *deltas measured* says at how many it was
done, spread evenly over the text, and the figure is their mean. jiter and partial-json-parser know no types; pydantic gets
dictionaries without required keys, and so does pydantic-ai: their partial validation does nothing for a model. *Values*
is how many a run delivered: callm leaves out those equal to the one before, baml-py's stream those overtaken.

**What stands around a call** is measured against the bare endpoint, whose events are added up to a response: in turns of some
30 ms, on the same connection; the figure is the median of the turns' differences. *default* is the client as it comes, with retries and time limits; *full* has a fallback, a rate
limit, a circuit breaker and a cache as well, and always new prompts. An event's figure holds its share of the call.
"""

_WORK: Final = {
    "memory-call": "a call, in memory",
    "server-call": "a call, from the server",
    "memory-stream": "an event of 2,000, 100 in a read, in memory",
    "server-stream": "an event of 2,000, from the server",
    "memory-reads": "an event of 2,000, each a read of its own, in memory",
}
_ROWS: Final = {
    **{f"{work}-{stack}": f"{title}: {stack}" for work, title in _WORK.items() for stack in ("default", "full")},
    "memory-hit": "a call that the cache answers from memory",
    "sqlite-hit": "a call that the cache answers from SQLite",
    "limiter": "a turn of the rate limiter, nobody waits",
    "waiters-10000": "10,000 who come at once to a rate limiter that lets one go at a time",
}

_FLOORS: Final = {"read": "pydantic", "repair": "json-repair", "grow": "jiter", "partials": "instructor"}
"""Kind of case to the peer whose figure the others are divided by; else it is aiohttp."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when the run was.

    Attributes:
        machine: processor, cores, Python, loop: a line each.
        versions: peer to distribution to version.
        missing: peer to why it did not install.
        when: the date.
    """

    machine: Sequence[str]
    versions: Mapping[str, Mapping[str, str]]
    missing: Mapping[str, str]
    when: str


def render(results: Results, setting: Setting) -> str:
    """Return the whole report."""
    parts = [f"# Benchmarks\n\nWritten by `make bench` on {setting.when}.\n", _targets(results), _COUNTED]
    measured = [case for case in CASES if case.name in results.rounds or case.name in results.failed]
    special = {"growth": _growth, "resilience": _resilience}
    parts += [special.get(case.kind, _case)(results, case) for case in measured]
    parts += [_cold(results), _help(results), _setting(setting)]
    return "\n".join(part for part in parts if part)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first is right-aligned."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join([":--", *["--:"] * (len(heads) - 1)]) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value: float | None) -> str:
    """Return `value` with three digits that matter, or a dash."""
    if value is None:
        return "-"
    if abs(value) >= 100:  # noqa: PLR2004  # three digits before the point
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004  # two digits before the point


def _targets(results: Results) -> str:
    rows: list[tuple[str, ...]] = []
    for target in TARGETS:
        value = target.measure(results)
        verdict = "not measured" if value is None else "reached" if target.reached(value) else "**not reached**"
        sign = "at most" if target.at_most else "at least"
        unit = f" {target.unit}" if target.unit else ""
        rows.append((target.title, f"{sign} {target.limit:g}{unit}", f"{number(value)}{unit}", verdict))
    return "## Targets\n\n" + table(("figure", "target", "measured", ""), rows)


def _case(results: Results, case: Case) -> str:
    floor, ours = _FLOORS.get(case.kind, "aiohttp"), "callm"
    heads = ["peer", f"CPU us / {case.unit}", f"x {floor}", "x callm", "spread", f"wall us / {case.unit}", "peak MB"]
    rows: list[list[str]] = []
    for peer in case.peers:
        if peer not in results.rounds.get(case.name, {}):
            continue
        spread = results.spread(case.name, peer)
        memory = results.median(case.name, peer, "memory")
        row = [
            peer,
            number(results.median(case.name, peer)),
            number(results.ratio(case.name, peer, floor)),
            number(results.ratio(case.name, peer, ours)),
            "-" if spread is None else f"{spread:.0%}",
            number(results.median(case.name, peer, "wall")),
            number(None if memory is None else memory / 1e6),
        ]
        rows.append([*row, *_pieces(results, case, peer)])
    heads += {"stream": ["loop runs"], "partials": ["values"], "grow": ["deltas measured", "values"]}.get(case.kind, [])
    return f"## {case.title} (`{case.name}`)\n\n" + table(heads, rows) + _failures(results, case.name)


def _pieces(results: Results, case: Case, peer: str) -> list[str]:
    """Return the cells that say how much of a stream was shown."""
    shown = results.pieces.get(case.name, {}).get(peer)
    values = "-" if shown is None else f"{shown:,}"
    if case.kind == "grow":
        units, deltas = results.median(case.name, peer, "units"), texts.count(case.scenario)
        measured = "-" if units is None else f"all {deltas:,}" if units == deltas else f"{units:,.0f} of {deltas:,}"
        return [measured, values]
    return [values] if case.kind in {"stream", "partials"} else []


def _growth(results: Results, case: Case) -> str:
    rows: list[tuple[str, ...]] = []
    for peer in case.peers:
        if peer not in results.rounds.get(case.name, {}):
            continue
        kind, _, size = Entry.parse(peer).variant.rpartition("-")
        half, whole = results.median(case.name, peer, "half"), results.median(case.name, peer)
        cells = [number(None if value is None else value / 1e3) for value in (half, whole)]
        rows.append((texts.TITLES[kind], size, *cells, number(results.growth(case.name, peer))))
    heads = ("text", "KB", "half of it: CPU ms", "all: CPU ms", "all / half")
    return f"## {case.title} (`{case.name}`)\n\n" + table(heads, rows) + _failures(results, case.name)


def _resilience(results: Results, case: Case) -> str:
    rows: list[tuple[str, ...]] = []
    for peer in case.peers:
        if peer not in results.rounds.get(case.name, {}):
            continue
        spread = results.spread(case.name, peer)
        rows.append(
            (
                _ROWS[Entry.parse(peer).variant],
                number(results.median(case.name, peer)),
                number(results.over_bare(case.name, peer)),
                "-" if spread is None else f"{spread:.0%}",
                number(results.median(case.name, peer, "wall")),
            )
        )
    heads = ("", "CPU us", "over the bare endpoint", "spread", "wall us")
    return f"## {case.title} (`{case.name}`)\n\n" + table(heads, rows) + _failures(results, case.name)


def _cold(results: Results) -> str:
    if COLD not in results.rounds and COLD not in results.failed:
        return ""
    rows = [
        (
            peer,
            *(number(results.median(COLD, peer, fact)) for fact in ("import", "total", "process", "cpu", "megabytes")),
            modules,
        )
        for peer in results.rounds.get(COLD, {})
        for modules in [f"{results.median(COLD, peer, 'modules') or 0:.0f}"]
    ]
    heads = (
        "peer",
        "import ms",
        "import + client + first call ms",
        "whole process ms",
        "its CPU ms",
        "peak MB",
        "modules of the import",
    )
    note = (
        "A fresh process, bytecode compiled, one sync call to the mock server (bare aiohttp: by `asyncio.run`); wall time.\n"
        "`whole process` adds Python's own start and end.\n\n"
    )
    return f"## Cold start (`{COLD}`)\n\n{note}" + table(heads, rows) + _failures(results, COLD)


def _help(results: Results) -> str:
    value = results.median(HELP, "callm", "wall")
    text = "" if value is None else f"## Command line (`{HELP}`)\n\n`callm --help`: {number(value)} ms wall.\n"
    return text + _failures(results, HELP)


def _failures(results: Results, case: str) -> str:
    lines = [f"- {peer}: {reason}" for peer, reason in results.failed.get(case, {}).items()]
    return "\nNo figures:\n\n" + "\n".join(lines) + "\n" if lines else ""


def _setting(setting: Setting) -> str:
    rows = [
        (Entry.parse(peer).peer, ", ".join(f"{name} {version}" for name, version in versions.items()))
        for peer, versions in setting.versions.items()
    ]
    rows += [(peer, f"does not install: {reason}") for peer, reason in setting.missing.items()]
    machine = "".join(f"- {line}\n" for line in setting.machine)
    return f"## Machine and versions\n\n{machine}\n" + table(("peer", "versions"), rows)
