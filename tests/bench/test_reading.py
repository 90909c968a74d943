import json
import time
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from bench import reading, texts
from bench.cases import CASES, Case, Entry
from bench.reading import WrongAnswer, open_reading
from bench.worker import begin, measure

GROW = Case("grow", "", "grow", "plain-1", 1, "delta", ())
READ = Case("read", "", "read", "plain-1", 1, "text", ())


class Again:
    """Reads all of the text at each delta, and takes its time."""

    pause = 0.0

    def __init__(self, variant: str) -> None:
        del variant

    def read(self, text: str) -> Any:
        return json.loads(text)

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        text = ""
        for piece in pieces:
            text += piece
            time.sleep(self.pause)
            yield json.loads(text) if text == texts.text("plain-1") else None


class Slow(Again):
    pause = 0.002


class Forgetful(Again):
    def read(self, text: str) -> Any:
        return {**json.loads(text), "lines": []}

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        yield from pieces


def peer(monkeypatch: pytest.MonkeyPatch, reader: type[Any]) -> Entry:
    monkeypatch.setattr(reading, "load", lambda _: SimpleNamespace(Reader=reader))
    return Entry("peer", "")


def test_a_fast_peer_takes_a_value_at_every_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    work = open_reading(GROW, peer(monkeypatch, Again), seconds=10)
    facts, _ = begin(work)
    assert (work.pieces, facts["units"]) == (texts.count("plain-1"), texts.count("plain-1"))


def test_a_slow_peer_takes_some_values_and_its_figure_is_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    work = open_reading(GROW, peer(monkeypatch, Slow), seconds=0.02)
    facts, _ = begin(work)
    assert work.pieces == facts["units"] < texts.count("plain-1")
    assert facts["wall"] >= 2000


def test_callm_is_never_sampled() -> None:
    work = open_reading(GROW, Entry("callm", ""), seconds=0)
    assert begin(work)[0]["units"] == texts.count("plain-1")


def test_a_wrong_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongAnswer):
        begin(open_reading(READ, peer(monkeypatch, Forgetful), seconds=1))


def test_a_wrong_last_partial_value_is_refused_though_it_is_not_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongAnswer):
        open_reading(GROW, peer(monkeypatch, Forgetful), seconds=0)


@pytest.mark.parametrize("text", ["damaged", "plain", *texts.HOSTILE])
def test_growth_measures_a_text_and_its_half(text: str) -> None:
    case = next(case for case in CASES if case.kind == "growth")
    assert f"callm:{text}-" in " ".join(case.peers)
    work = open_reading(case, Entry("callm", f"{text}-16"), seconds=0.1)
    rounds = [measure(work, 1) for _ in range(3)]
    assert 0 < min(facts["half"] for facts in rounds) < max(facts["cpu"] for facts in rounds)
