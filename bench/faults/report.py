"""Observations to Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.faults.asking import PEERS
from bench.faults.cases import CASES, MODES, NONE
from bench.faults.verdict import Observation, judge
from bench.report import table

Key = tuple[str, str]
Run = Mapping[str, Mapping[Key, Observation]]
"""Peer to fault and mode to what was seen."""

_COUNTED: Final = """\
Every peer has a process of its own and asks `callm.testing.FaultServer` on the same machine, with a fresh client for each cell. The server
does the same to every request of a cell, retries included. Retries are each peer's default, and every waiting time that it lets one
set is 3 s (below). The whole answer is the text `{"name": "Ada Lovelace", "city": "London", "age": 36}`, also for calls that want no type.

- **wrong success**: it returned a value without an error, though the answer was cut or broken
- **nothing**: it returned without an error, but there is no answer in what it returned: `None`, or an object on which
  `choices[0].message.content` or the like fails
- **error**: an error of a class that the library, or the one beneath it, declares
- **foreign error**: an error of Python's or of another library arose inside it and came out as it was
- **hangs**: it waited for one request more than 5 s; its process was killed after 10 s
- a number is how many requests the server saw, where there was more than one; `-` is not asked, because the peer has no such mode

A stream that *breaks off* has neither finish reason nor terminal marker; its last words are `"age": 3`. Pings come every 0.5 s.

`:helper` reads streams by the library's own accumulator (`chat.completions.stream`, `messages.stream`); without it the events are joined, as
a loop over `create(stream=True)` does. instructor has only typed calls, so it makes those. `callm:anthropic`, `anthropic` and
`anthropic:helper` speak Anthropic's format, the others OpenAI's; litellm, instructor and pydantic-ai run openai-python beneath.
`baml-py:strict` has `finish_reason_allow_list ["stop"]` in its client.
"""

GLANCE: Final[Sequence[Key]] = (
    ("stream-ends", "stream"),
    ("stream-ends", "grow"),
    ("stream-error", "stream"),
    ("stream-stalls", "stream"),
    ("stream-pings", "stream"),
    ("body-cut", "call"),
    ("no-choices", "call"),
    ("html", "call"),
    ("length", "typed"),
    ("filtered", "typed"),
    ("rate-limit", "call"),
    ("quota", "call"),
    ("500", "call"),
    ("400", "call"),
    ("stalls", "call"),
)
"""The rows that the guide shows."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when the runs were.

    Attributes:
        machine: a line each.
        versions: peer to distribution to version.
        missing: peer to why it did not install.
        when: the date.
    """

    machine: Sequence[str]
    versions: Mapping[str, Mapping[str, str]]
    missing: Mapping[str, str]
    when: str


def render(runs: Sequence[Run], setting: Setting) -> str:
    """Return the whole report."""
    peers = list(runs[0])
    head = f"# The same faults, side by side\n\nWritten by `python -m bench.faults` on {setting.when}.\n"
    parts = [head, _COUNTED, "## At a glance\n", glance(runs), "## Outcome and requests\n", _outcomes(runs, peers)]
    parts += ["## What was returned\n", _returned(runs[0]), "## Errors\n", _errors(runs[0], peers)]
    parts += ["## Waits and memory\n", _measures(runs, peers), "## Agreement\n", agreement(runs)]
    return "\n".join([*parts, "## Machine, versions, timeouts\n", _setting(setting, peers)])


def glance(runs: Sequence[Run]) -> str:
    """Return the small table: a column for each library, its ways to use it in one cell."""
    bases = list(dict.fromkeys(peer.partition(":")[0] for peer in runs[0]))
    rows = [[_title(key), *(_merged(runs, base, key) for base in bases)] for key in GLANCE]
    return _table(["", *bases], rows)


def agreement(runs: Sequence[Run]) -> str:
    """Say in which cells the runs differ."""
    every = [(peer, key) for peer, found in runs[0].items() for key in found]
    differ = [
        f"- {peer}, {_title(key)}: {cell(runs, peer, key)}" for peer, key in every if len(_cells(runs, peer, key)) > 1
    ]
    told = f"{len(runs)} runs, {len(every)} cells; outcome and number of requests differ in {len(differ)}."
    return "\n".join([told, *([""] if differ else []), *differ, ""])


def cell(runs: Sequence[Run], peer: str, key: Key) -> str:
    """Return the outcome in every run, or once where they agree; a dash where the peer was not asked."""
    return " / ".join(_cells(runs, peer, key)) or "-"


def _cells(runs: Sequence[Run], peer: str, key: Key) -> list[str]:
    seen = [run[peer][key] for run in runs if key in run.get(peer, {})]
    return list(dict.fromkeys(_outcome(key, each) for each in seen))


def _outcome(key: Key, seen: Observation) -> str:
    verdict = judge(key[0], seen)
    bold = verdict in {"wrong success", "hangs"}
    count = f", {len(seen.times)}" if len(seen.times) > 1 else ""
    return f"**{verdict}**{count}" if bold else f"{verdict}{count}"


def _merged(runs: Sequence[Run], base: str, key: Key) -> str:
    ways = {peer.partition(":")[2]: cell(runs, peer, key) for peer in runs[0] if peer.partition(":")[0] == base}
    asked = {way: told for way, told in ways.items() if told != "-"}
    if len(set(asked.values())) < 2 and ("" in asked or not asked):  # noqa: PLR2004  # they agree
        return next(iter(asked.values()), "-")
    return "; ".join(f"{way}: {told}" if way else told for way, told in asked.items())


def _outcomes(runs: Sequence[Run], peers: list[str]) -> str:
    return _table(["fault", *peers], [[_title(key), *(cell(runs, peer, key) for peer in peers)] for key in _keys(runs)])


def _errors(run: Run, peers: list[str]) -> str:
    rows = [[_title(key), *(_error(run[peer].get(key)) for peer in peers)] for key in _keys([run]) if key[0] != NONE]
    return "Of the first run.\n\n" + _table(["fault", *peers], rows)


def _error(seen: Observation | None) -> str:
    told = None if seen is None else seen.told
    return "-" if told is None or "raised" not in told else f"`{told['raised']}`"


def _returned(run: Run) -> str:
    lines = [
        f"- {peer}, {_title(key)}: {judge(key[0], seen)}, {_told(seen)}"
        for peer, found in run.items()
        for key, seen in found.items()
        if judge(key[0], seen) in {"wrong success", "nothing", "no answer"}
    ]
    return "\n".join(["Of the first run.", "", *lines, ""])


def _told(seen: Observation) -> str:
    told = seen.told or {}
    return f"then `{told['raised']}: {told['says']}`" if "raised" in told else f"`{told.get('returned')}`"


def _measures(runs: Sequence[Run], peers: list[str]) -> str:
    rows = [
        ["429 with `Retry-After: 1`: s before the second request", *_each(runs, peers, "rate-limit", _wait)],
        ["429 without quota: s before the second request", *_each(runs, peers, "quota", _wait)],
        ["500: s before the second request", *_each(runs, peers, "500", _wait)],
        ["no headers: s until the error", *_each(runs, peers, "stalls", _seconds)],
        ["bomb: MB that the process grew", *_each(runs, peers, "bomb", _megabytes)],
    ]
    return _table(["", *peers], rows)


def _each(runs: Sequence[Run], peers: list[str], case: str, measure: object) -> list[str]:
    assert callable(measure)
    cells: list[str] = []
    for peer in peers:
        seen = [each for run in runs for (name, _), each in run[peer].items() if name == case]
        cells.append(" / ".join(measure(each) for each in seen) or "-")
    return cells


def _wait(seen: Observation) -> str:
    return "none" if seen.first_wait is None else f"{seen.first_wait:.2f}"


def _seconds(seen: Observation) -> str:
    return "killed" if seen.told is None else f"{seen.told['seconds']:.1f}"


def _megabytes(seen: Observation) -> str:
    return "killed" if seen.told is None else f"{seen.told['megabytes']:.0f}"


def _keys(runs: Sequence[Run]) -> list[Key]:
    asked = {key for run in runs for found in run.values() for key in found}
    return [(case.name, mode) for case in CASES for mode in case.modes if (case.name, mode) in asked]


def _title(key: Key) -> str:
    case = next(case for case in CASES if case.name == key[0])
    return f"{MODES[key[1]]}: {case.title}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table(heads, rows).replace("--:", ":--")


def _setting(setting: Setting, peers: list[str]) -> str:
    rows = [
        [base, ", ".join(f"{name} {version}" for name, version in setting.versions[base].items()), PEERS[base].timeout]
        for base in dict.fromkeys(peer.partition(":")[0] for peer in peers)
    ]
    rows += [[peer, f"does not install: {reason}", "-"] for peer, reason in setting.missing.items()]
    machine = "".join(f"- {line}\n" for line in setting.machine)
    return f"{machine}\n" + _table(["peer", "versions", "timeouts"], rows)
