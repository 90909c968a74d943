from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.types import Usage
from callm.wire.openai_chat.usage import read_facts, read_usage


@pytest.mark.parametrize(
    ("data", "usage"),
    [
        ({}, Usage()),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(input_tokens=0, output_tokens=0)),
        ({"input_tokens": 1, "output_tokens": 2}, Usage(input_tokens=1, output_tokens=2)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 20,
                "total_tokens": 30,
                "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 4, "audio_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 6, "audio_tokens": 7},
            },
            Usage(
                input_tokens=10,
                output_tokens=20,
                cache_read_tokens=3,
                cache_write_tokens=4,
                reasoning_tokens=6,
                audio_input_tokens=5,
                audio_output_tokens=7,
            ),
        ),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3}, Usage(input_tokens=5, cache_read_tokens=3)),  # DeepSeek
        ({"cached_tokens": 3}, Usage(cache_read_tokens=3)),
        # xAI counts the reasoning beside the output; elsewhere it is part of it
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 2,
                "total_tokens": 7,
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            Usage(input_tokens=1, output_tokens=6, reasoning_tokens=4),
        ),
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 6,
                "total_tokens": 7,
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            Usage(input_tokens=1, output_tokens=6, reasoning_tokens=4),
        ),
        ({"completion_tokens": 6, "reasoning_tokens": 4}, Usage(output_tokens=6, reasoning_tokens=4)),
        ({"prompt_tokens": 5.0}, Usage(input_tokens=5)),
        ({"prompt_tokens": 5.5, "completion_tokens": -1}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": "7"}, Usage()),
        ({"prompt_tokens": 10**30, "completion_tokens": float("nan"), "total_tokens": float("inf")}, Usage()),
        ({"prompt_tokens_details": 7, "completion_tokens_details": [1]}, Usage()),
        ({"prompt_tokens_details": None, "completion_tokens_details": {"reasoning_tokens": None}}, Usage()),
    ],
)
def test_tokens_are_read_by_every_name(data: dict[str, Any], usage: Usage) -> None:
    assert read_usage(data) == usage


def test_cost_and_times_are_facts() -> None:
    data = {"prompt_tokens": 1, "cost": 0.1, "cost_details": {"x": 1}, "queue_time": 0, "is_byok": None}
    assert read_facts(data) == {"cost": 0.1, "cost_details": {"x": 1}, "queue_time": 0}


ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers()),
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "reasoning_tokens"]
        ),
        ANY,
    )
)
def test_any_object_gives_counts_of_0_or_more(data: dict[str, Any]) -> None:
    usage = read_usage(data)
    assert (usage.input_tokens or 0) >= 0
    assert (usage.output_tokens or 0) >= 0
