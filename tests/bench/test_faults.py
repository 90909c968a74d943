"""The fault comparison's own logic: what is asked, what an observation means, and what the report says of it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.faults import trial
from bench.faults.asking import PEERS
from bench.faults.cases import CASES, CUT, MODES, NONE, WHOLE, mode_for, wire_of
from bench.faults.report import GLANCE, Setting, agreement, glance, render
from bench.faults.running import Bench
from bench.faults.server import state
from bench.faults.verdict import Observation, judge
from callm.testing import ReceivedRequest, parse_fault

ROOT = Path(__file__).parent.parent.parent
PERSON = {"name": "Ada Lovelace", "city": "London", "age": 36}
SETTING = Setting(
    ("Linux",), {"callm": {"callm": "0.1.0"}, "openai": {"openai": "3"}}, {"litellm": "no wheel"}, "2026-01-02"
)


def returned(value: Any) -> Observation:
    return Observation({"returned": value, "seconds": 0.1, "megabytes": 1.0}, [0.0], [0.0])


def raised(*, own: bool = False, callers: bool = False, times: tuple[float, ...] = (0.0,)) -> Observation:
    told = {"raised": "ValueError", "own": own, "callers": callers, "says": "no", "seconds": 0.1, "megabytes": 1.0}
    return Observation(told, list(times), [0.0 for _ in times])


def test_the_cut_answer_can_be_taken_for_a_whole_one() -> None:
    assert json.loads(WHOLE) == PERSON
    assert json.loads(CUT + "}") == {**PERSON, "age": 3}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_reaches_the_server_as_json(case: Any) -> None:
    for wire in ("openai", "anthropic"):
        assert parse_fault(msgspec.json.encode(case.on(wire)).decode()) == case.on(wire)
    assert set(case.modes) <= set(MODES)


def test_names_are_used_once_and_the_rows_of_the_guide_exist() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert set(GLANCE) <= {(case.name, mode) for case in CASES for mode in case.modes}


@pytest.mark.parametrize(
    ("case", "seen", "expected"),
    [
        (NONE, returned(WHOLE), "right answer"),
        (NONE, returned(PERSON), "right answer"),
        (NONE, returned(CUT), "no answer"),
        (NONE, raised(own=True), "no answer"),
        ("length", returned({**PERSON, "age": 3}), "wrong success"),
        ("length", returned(None), "nothing"),
        ("html", returned(""), "nothing"),
        ("html", raised(own=True), "error"),
        ("html", raised(own=True, callers=True), "error"),
        ("html", raised(callers=True), "nothing"),
        ("html", raised(), "foreign error"),
        ("stalls", Observation(None, [0.0], [10.2]), "hangs"),
        ("stalls", Observation({"raised": "Timeout", "own": True, "callers": False}, [0.0], [5.1]), "hangs"),
        ("stalls", Observation({"raised": "Timeout", "own": True, "callers": False}, [0.0, 3.2], [3.1, 4.9]), "error"),
        ("stalls", Observation(None, [0.0], [3.0]), "unfinished"),
    ],
)
def test_an_observation_has_one_meaning(case: str, seen: Observation, expected: str) -> None:
    assert judge(case, seen) == expected


def test_the_first_wait_is_between_the_first_two_requests() -> None:
    assert raised(times=(0.0, 1.5, 9.0)).first_wait == 1.5
    assert raised().first_wait is None


@pytest.mark.parametrize(
    ("mode", "offered", "expected"),
    [
        ("call", {"call", "typed"}, "call"),
        ("call", {"typed", "grow"}, "typed"),
        ("stream", {"typed", "grow"}, "grow"),
        ("call", {"stream"}, None),
        ("stream", {"call"}, None),
        ("typed", {"call", "stream"}, None),
    ],
)
def test_a_peer_with_typed_calls_alone_makes_those(mode: str, offered: set[str], expected: str | None) -> None:
    assert mode_for(mode, offered) == expected


def test_a_peer_is_asked_in_its_own_format() -> None:
    assert [name for name in PEERS if wire_of(name) == "anthropic"] == [
        "callm:anthropic",
        "anthropic",
        "anthropic:helper",
    ]


def test_an_error_is_the_librarys_own_by_any_of_its_classes() -> None:
    class Derived(json.JSONDecodeError): ...

    assert trial.is_own(Derived("no", "", 0), ("json",))
    assert not trial.is_own(ValueError("no"), ("json",))


class Peer:
    own = ("nobody",)

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self) -> str:
        return self.url

    def typed(self) -> object:
        return json.loads("{")


def test_a_trial_tells_what_was_returned_or_raised() -> None:
    assert trial.ask(Peer, "call", "an address")["returned"] == "an address"
    told = trial.ask(Peer, "typed", "")
    assert (told["raised"], told["own"], told["callers"]) == ("json.JSONDecodeError", False, False)


def test_an_error_of_the_lines_that_ask_is_told_from_one_inside_the_library() -> None:
    inside = compile("def f(): return [][0]", "library.py", "exec")
    ours = compile("def f(): return [][0]", "bench/faults/asking.py", "exec")
    for code, expected in ((inside, False), (ours, True)):
        names: dict[str, Any] = {}
        exec(code, names)
        with pytest.raises(IndexError) as caught:
            names["f"]()
        assert trial.is_callers(caught.value) is expected


def test_the_server_tells_how_long_each_unanswered_request_was_waited_for() -> None:
    requests = [ReceivedRequest("POST", "/", {}, b"", 1) for _ in range(3)]
    now = time.monotonic()
    for request, came, closed in zip(requests, (10.0, 11.0, 14.0), (12.5, None, 15.0), strict=True):
        request.time, request.closed_at = now + came, None if closed is None else now + closed
    requests[2].finished = True
    told = state(requests, now + 16.0)
    assert told["times"] == pytest.approx([0.0, 1.0, 4.0])
    assert told["held"] == pytest.approx([2.5, 5.0, 0.0])
    assert state([], now) == {"times": [], "held": []}


def test_a_report_counts_requests_and_names_what_was_wrong() -> None:
    run = {
        "callm": {("500", "call"): raised(own=True, times=(0.0, 0.4, 1.0))},
        "openai": {("500", "call"): raised(own=True), ("length", "typed"): returned({"age": 3})},
    }
    text = render([run, run], SETTING)
    assert "| call: 500 | error, 3 | error |" in text
    assert "| typed call: finish reason `length`, JSON cut | - | **wrong success** |" in text
    assert "- openai, typed call: finish reason `length`, JSON cut: wrong success, `{'age': 3}`" in text
    assert "| 500: s before the second request | 0.40 / 0.40 | none / none |" in text
    assert "| litellm | does not install: no wheel | - |" in text
    assert "2 runs, 3 cells; outcome and number of requests differ in 0." in text


def test_runs_that_differ_show_both_outcomes() -> None:
    runs = [
        {"openai": {("500", "call"): raised(own=True)}},
        {"openai": {("500", "call"): raised(own=True, times=(0, 1))}},
    ]
    assert "differ in 1.\n\n- openai, call: 500: error / error, 2" in agreement(runs)


def test_ways_to_use_a_library_share_a_cell_that_names_those_that_differ() -> None:
    ways = {"openai": raised(own=True), "openai:helper": returned(CUT)}
    apart = glance([{name: {("stream-ends", "stream"): seen} for name, seen in ways.items()}])
    assert "| error; helper: **wrong success** |" in apart
    same = glance([{name: {("stream-ends", "stream"): returned(CUT)} for name in ways}])
    assert "| **wrong success** |" in same


def test_the_guide_shows_the_table_of_the_report() -> None:
    report = (ROOT / "bench" / "FAULTS.md").read_text("utf-8")
    table = report.partition("## At a glance\n\n")[2].partition("\n\n")[0]
    assert table.count("\n") > len(GLANCE)
    assert table in (ROOT / "docs" / "resilience.md").read_text("utf-8")


def test_a_run_sees_what_a_peer_returned_or_raised_and_how_often_it_asked() -> None:
    cases = [case for case in CASES if case.name in {"400", "length"}]
    with Bench("callm", Path(sys.executable)) as bench:
        found = bench.run(cases)
    assert {key: (judge(key[0], seen), len(seen.times)) for key, seen in found.items()} == {
        ("400", "call"): ("error", 1),
        ("length", "typed"): ("error", 1),
    }
