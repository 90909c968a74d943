from __future__ import annotations

from typing import Any

import pytest

from callm.wire.openai_chat.reasoning import merge_details, read_text, read_thoughts


@pytest.mark.parametrize(
    ("delta", "thoughts"),
    [
        ({"reasoning_content": "a"}, "a"),
        ({"reasoning": "a"}, "a"),
        ({"thinking": "a"}, "a"),
        ({"reasoning_content": "a", "reasoning": "a", "thinking": "a"}, "a"),
        ({"reasoning_content": "a", "reasoning": "b"}, "ab"),
        ({"reasoning": "a", "reasoning_details": [{"text": "a"}]}, "a"),
        ({"reasoning_details": [{"text": "a"}, {"summary": "b"}, {"data": "x"}, 7]}, "ab"),
        ({"reasoning": [{"type": "text", "text": "a"}]}, "a"),
        ({"reasoning": {"text": "a"}, "reasoning_content": 7}, ""),
        ({"content": "a"}, ""),
        ({}, ""),
    ],
)
def test_thoughts_are_found_under_every_name_and_taken_once(delta: dict[str, Any], thoughts: str) -> None:
    assert read_thoughts(delta) == thoughts


def test_text_is_read_from_a_string_or_from_parts() -> None:
    assert read_text("a") == "a"
    assert read_text([{"text": "a"}, {"text": 7}, {}, "x", {"text": "b"}]) == "ab"
    assert read_text(None) == ""


@pytest.mark.parametrize(
    ("fragments", "merged"),
    [
        (
            [
                {"type": "t", "index": 0, "text": "a"},
                {"type": "t", "index": 0, "text": "b", "signature": "s", "id": None},
            ],
            [{"type": "t", "index": 0, "text": "ab", "signature": "s"}],
        ),
        (
            [{"type": "t", "index": 0, "text": "a"}, {"type": "e", "index": 0, "data": "x"}],
            [{"type": "t", "index": 0, "text": "a"}, {"type": "e", "index": 0, "data": "x"}],
        ),
        (
            [{"type": "e", "index": 0, "id": "1", "data": "x"}, {"type": "e", "index": 0, "id": "2", "data": "y"}],
            [{"type": "e", "index": 0, "id": "1", "data": "x"}, {"type": "e", "index": 0, "id": "2", "data": "y"}],
        ),
        (
            [{"type": "e", "index": 0, "id": "1", "data": "x"}, {"type": "e", "index": 0, "data": "y"}],
            [{"type": "e", "index": 0, "id": "1", "data": "xy"}],
        ),
        (
            [{"type": "e", "data": "x"}, {"type": "e", "data": "y"}],
            [{"type": "e", "data": "x"}, {"type": "e", "data": "y"}],
        ),
        ([{"type": "t", "text": "a"}, {"type": "t", "text": "b"}], [{"type": "t", "text": "ab"}]),
        ([{"type": "t", "text": None}, {"type": "t", "text": "b"}], [{"type": "t", "text": "b"}]),
    ],
)
def test_streamed_details_are_joined_with_what_they_continue(fragments: list[Any], merged: list[Any]) -> None:
    details: list[dict[str, Any]] = []
    for fragment in fragments:
        merge_details(details, [fragment])
    assert details == merged


def test_what_is_no_list_of_details_is_nothing() -> None:
    details: list[dict[str, Any]] = []
    for odd in (None, 7, "x", {"type": "t"}, [7]):
        merge_details(details, odd)
    assert details == []
