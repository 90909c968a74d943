"""Token counts."""

from __future__ import annotations

import msgspec
import pytest

from callm.types import (
    Finish,
    Metadata,
    ResponseStart,
    Usage,
    UsageReport,
)
from tests.wire.anthropic.payloads import (
    START,
    STOP,
    body,
    ended,
    run,
    run_body,
)


def test_usage_is_a_running_total_and_null_keeps_what_was_said() -> None:
    first = {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_creation_input_tokens": 500,
        "cache_read_input_tokens": 2000,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
        "service_tier": "priority",
        "inference_geo": None,
    }
    last = {
        "input_tokens": None,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
        "server_tool_use": {"web_search_requests": 2},
    }
    start = {"type": "message_start", "message": {**START["message"], "usage": first}}
    events = run(start, ended("end_turn", last), STOP)
    total = Usage(2510, 1, 2000, 500, 200)
    assert events == [
        ResponseStart("msg_1", "m"),
        Metadata({"service_tier": "priority"}),
        UsageReport(total),
        Metadata({"server_tool_use": {"web_search_requests": 2}}),
        UsageReport(msgspec.structs.replace(total, output_tokens=7, reasoning_tokens=4)),
        Finish("stop", "end_turn"),
    ]


@pytest.mark.parametrize("wrong", [None, "12", 1.5, -1, True, [], {}])
def test_a_count_of_a_wrong_type_is_unknown(wrong: object) -> None:
    usage = {"input_tokens": wrong, "output_tokens": 3, "cache_creation": wrong, "output_tokens_details": wrong}
    assert run_body(body(usage=usage)).usage == Usage(output_tokens=3)
