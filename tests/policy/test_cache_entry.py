"""What a cache keeps of an answer, and that nothing broken is taken for one."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.parse.output import Output
from callm.policy.cache_entry import FORMAT, Entry, Recording, dump, load
from callm.types import (
    AttemptFailed,
    AudioDelta,
    CacheHit,
    ChoiceEvent,
    Citation,
    Continued,
    Event,
    Finish,
    Image,
    LogProbs,
    Metadata,
    Notice,
    PartAdded,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    ResponseHeaders,
    ResponseStart,
    Restarted,
    Selected,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
    Waited,
)

HEADERS = ResponseHeaders(200, {"x": "y"}, "r1", "p/m")
STOP = Finish("stop", "stop")
FAILED = AttemptFailed("p/m", "ServerError", "server_error", "down", wait=2.0)
CALL = [ToolCallStart(0, "c", "f"), ToolCallDelta(0, "{}"), ToolCallEnd(0)]


def record(*batches, output=None, now=100.0):
    recording = Recording()
    for number, batch in enumerate(batches):
        recording.add(float(number), batch)
    return recording.entry(now, output)


def kept(*batches):
    entry = record(*batches)
    return None if entry is None else entry.batches


def test_a_whole_answer_is_kept_batch_by_batch_with_its_times():
    batches: list[list[Event]] = [[HEADERS], [TextDelta("a"), TextDelta("b")], [UsageReport(Usage(1, 2)), STOP]]
    assert record(*batches) == Entry(FORMAT, 100.0, list(enumerate(batches)))


def test_lines_stood_in_are_left_out_with_their_time():
    assert kept([Waited("limiter", 1.0)], [HEADERS, TextDelta("a")], [STOP]) == [
        (0.0, [HEADERS, TextDelta("a")]),
        (1.0, [STOP]),
    ]


def test_cookies_are_left_out():
    headers = ResponseHeaders(200, {"set-cookie": "session=canary", "x": "y"}, "r1", "p/m")
    assert kept([headers, STOP]) == [(0.0, [HEADERS, STOP])]


def test_attempts_that_failed_are_left_out_with_what_came_of_them():
    batches = kept([HEADERS, ReasoningDelta("?")], [FAILED], [], [HEADERS, TextDelta("a")], [STOP])
    assert batches == [(0.0, [HEADERS, TextDelta("a")]), (1.0, [STOP])]


def test_a_continued_answer_of_which_an_attempt_failed_is_not_kept_for_its_first_parts_stand_before_it():
    start, rest = [TextDelta("Once "), Continued(1, Usage(1, 1))], [TextDelta("upon"), STOP]
    assert record(start, rest) is not None
    assert record(start, [FAILED], rest) is None
    assert record([FAILED], start, rest) is not None


def test_what_came_before_a_restart_is_left_out():
    assert kept([TextDelta("old")], [TextDelta("x"), FAILED, Restarted("m"), TextDelta("new")], [STOP]) == [
        (0.0, [TextDelta("new")]),
        (0.0, [STOP]),
    ]


def test_of_the_selected_models_the_last_one_stays_for_it_answered():
    batches = kept([Selected("a | b"), Selected("a"), HEADERS], [FAILED], [Selected("b"), TextDelta("x")], [STOP])
    assert batches == [(0.0, [Selected("b"), TextDelta("x")]), (0.0, [STOP])]


def test_an_answer_from_a_cache_keeps_its_age():
    entry = record([CacheHit(30.0)], [TextDelta("a"), STOP])
    assert (entry.created, entry.batches) == (70.0, [(1.0, [TextDelta("a"), STOP])])


@pytest.mark.parametrize(
    "batch",
    [
        [],
        [TextDelta("a")],
        *(
            [TextDelta("a"), Finish(reason)]
            for reason in ("length", "content_filter", "refusal", "pause", "error", "other")
        ),
        [RefusalDelta("no"), STOP],
        [ToolCallStart(0, "c", "f"), ToolCallDelta(0, "{"), Finish("tool_calls")],
        [TextDelta("a"), STOP, ChoiceEvent(1, TextDelta("b"))],
        [TextDelta("a"), STOP, ChoiceEvent(1, TextDelta("b")), ChoiceEvent(1, Finish("length"))],
        [TextDelta("a"), STOP, Continued(1, Usage())],
    ],
    ids=str,
)
def test_what_is_not_whole_is_not_kept(batch):
    assert kept(batch) is None


@pytest.mark.parametrize(
    "batch",
    [
        [STOP],
        [*CALL, Finish("tool_calls")],
        [TextDelta("a"), STOP, ChoiceEvent(1, TextDelta("b")), ChoiceEvent(1, STOP)],
        [TextDelta("a"), Finish("length"), Continued(1, Usage(1, 1)), TextDelta("b"), STOP],
    ],
    ids=str,
)
def test_what_is_whole_is_kept(batch):
    assert kept(batch) == [(0.0, batch)]


@pytest.mark.parametrize(("text", "whole"), [("[1, 2]", True), ("no numbers", False), ("", False)])
def test_what_is_not_of_the_declared_type_is_not_kept(text, whole):
    assert (record([TextDelta(text), STOP], output=Output(list[int])) is not None) == whole
    assert record([TextDelta(text), STOP]) is not None


EVERY: list[Any] = [
    *(
        HEADERS,
        ResponseStart("i", "m"),
        TextDelta("é\0"),
        ReasoningDelta("r"),
        ReasoningEnd("s", "f", "i", {"a": [1.5]}),
    ),
    *(RefusalDelta("n"), *CALL, PartAdded(Image(b"\0\xff", media_type="image/png")), AudioDelta("QQ==", "t", "i")),
    *(
        Citation({"url": "u"}),
        LogProbs([{"p": -0.5}]),
        Metadata({"tier": None}),
        UsageReport(Usage(1, 2, 3, 4, 5, 6, 7, 8)),
    ),
    *(ChoiceEvent(1, ChoiceEvent(2, STOP)), Notice("n"), Selected("m"), Waited("l", 1.0), FAILED, Restarted("m")),
    *(CacheHit(1.0), Continued(1, Usage(1, 1)), Finish("stop", "end", "x")),
]
ENTRY = Entry(FORMAT, 1.5, [(0.0, EVERY[:3]), (0.25, EVERY)])


def test_every_event_comes_back_as_it_was():
    assert {type(event) for event in EVERY} == set(Event.__args__)
    assert load(dump(ENTRY) or b"") == ENTRY


def test_what_msgpack_can_not_write_is_not_kept():
    assert dump(Entry(FORMAT, 0.0, [(0.0, [Metadata({"n": 2**70})])])) is None


def test_no_cut_gives_an_entry_and_no_changed_byte_an_error():
    data = dump(ENTRY)
    assert data is not None
    for at in range(len(data)):
        for bit in range(8):
            load(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
    assert [at for at in range(len(data)) if load(data[:at]) is not None] == []


@given(
    st.binary()
    | st.builds(
        msgspec.msgpack.encode,
        st.recursive(st.none() | st.integers(0, 9) | st.text(), st.lists),
    )
)
def test_garbage_is_no_entry(data):
    assert load(data) is None


def test_an_entry_of_another_version_or_without_events_is_none():
    for entry in (Entry(FORMAT + 1, 0.0, ENTRY.batches), Entry(FORMAT, 0.0, [])):
        assert load(dump(entry) or b"") is None
    assert load(b"\x93" * 100_000) is None
