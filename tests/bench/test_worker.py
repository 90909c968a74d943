from collections.abc import Iterator

import pytest

from bench import payload
from bench.cases import CASES, Case, Entry
from bench.order import Order
from bench.peer import Streamed
from bench.processes import mock_server
from bench.reading import WrongAnswer
from bench.worker import check, measure, open_work

SHORT = [case for case in CASES if case.name not in {"read-100", "grow-32", "grow-128", "growth"}]
OURS = [(case, entry) for case in SHORT for entry in case.peers if entry.split(":")[0] in {"callm", "aiohttp"}]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with mock_server(None) as url:
        yield url


@pytest.mark.parametrize(("case", "entry"), OURS, ids=[f"{case.name}-{entry}" for case, entry in OURS])
def test_callm_and_the_floor_get_the_right_answer_in_every_case(server: str, case: Case, entry: str) -> None:
    work = open_work(case, Entry.parse(entry), server, seconds=0.1)
    try:
        facts = measure(work, case.concurrency)  # checks the answer
        if case.kind == "stream" and entry.startswith("callm"):
            assert work.pieces == payload.STREAMS[case.scenario]
    finally:
        work.close()
    assert facts["cpu"] > 0
    assert facts["memory"] > 1e6


def test_a_peer_that_lost_text_is_refused() -> None:
    case = next(case for case in CASES if case.name == "stream-200")
    whole = len(payload.text(200))
    check(case, Streamed(200, whole))
    with pytest.raises(WrongAnswer):
        check(case, Streamed(200, whole - 1))


def test_a_wrong_text_or_order_is_refused() -> None:
    call = next(case for case in CASES if case.name == "call-1")
    typed = next(case for case in CASES if case.name == "typed-1")
    check(call, payload.text())
    check(typed, Order.model_validate(payload.order()))
    with pytest.raises(WrongAnswer):
        check(call, payload.text() + ".")
    with pytest.raises(WrongAnswer):
        check(typed, Order.model_validate(payload.order() | {"customer": "someone else"}))


def test_the_typed_answer_is_about_8_kb() -> None:
    assert 7_500 < len(payload.order_json()) < 8_500
