"""The tokens of an answer, by the names that OpenAI and the servers like it give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callm.types import Usage
from callm.wire.untyped import as_object

_FACTS: Final = frozenset(
    {
        "cost",
        "cost_details",
        "is_byok",
        "cost_in_usd_ticks",
        "num_sources_used",
        "queue_time",
        "prompt_time",
        "completion_time",
        "total_time",
    }
)
"""What stands among the tokens and is none: it becomes metadata."""

_MOST: Final = 2**63


def read_usage(data: Mapping[str, Any]) -> Usage:
    """Return the tokens of a wire `usage` object; what it does not say stays None."""
    inside = as_object(data.get("prompt_tokens_details")) or as_object(data.get("input_tokens_details")) or {}
    outside = as_object(data.get("completion_tokens_details")) or as_object(data.get("output_tokens_details")) or {}
    prompt = _first(data, "prompt_tokens", "input_tokens")
    output = _first(data, "completion_tokens", "output_tokens")
    reasoning = _first(outside, "reasoning_tokens") if outside else None
    if reasoning is None:
        reasoning = _first(data, "reasoning_tokens")
    cached = _first(inside, "cached_tokens") if inside else None
    if cached is None:
        cached = _first(data, "prompt_cache_hit_tokens", "cached_tokens")  # DeepSeek; Moonshot
    # xAI counts the reasoning beside the output: there, the total is the sum of all three.
    if prompt is not None and output is not None and reasoning:
        output += reasoning if data.get("total_tokens") == prompt + output + reasoning else 0
    if not inside and not outside:
        return Usage(prompt, output, cached, reasoning_tokens=reasoning)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_tokens=cached,
        cache_write_tokens=_first(inside, "cache_write_tokens"),
        reasoning_tokens=reasoning,
        audio_input_tokens=_first(inside, "audio_tokens"),
        audio_output_tokens=_first(outside, "audio_tokens"),
    )


def read_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a wire `usage` object says beside tokens: cost and times."""
    if _FACTS.isdisjoint(data):
        return {}
    return {name: value for name, value in data.items() if name in _FACTS and value is not None}


def _first(data: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = data.get(name)
        if value is None:
            continue
        if type(value) is int and 0 <= value < _MOST:
            return value
        if isinstance(value, int | float) and 0 <= value < _MOST and value == int(value) and value is not True:
            return int(value)
    return None
