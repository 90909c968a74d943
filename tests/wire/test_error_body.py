from __future__ import annotations

from typing import Any

import pytest

from callm.wire.error_body import describe_body, parse_body, read_error, request_id


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        ({"error": {"code": "a", "type": "B"}}, "a", ("a", "b")),
        ({"error": {"code": None, "type": "b"}}, None, ("b",)),
        ({"error": {"code": "", "type": "b"}}, None, ("b",)),
        ({"error": {"type": "b"}}, "b", ("b",)),
        ({"type": "error", "error": {"type": "b"}}, "b", ("b",)),
        ({"type": "error", "code": "c", "message": "m"}, "c", ("c",)),
        ({"error": "m", "code": "c"}, "c", ("c",)),
        ({"error": {"code": 400, "status": "X"}}, "X", ("400", "x")),
        ({"error": {"code": 400, "status": 400}}, "400", ("400",)),
        ({"__type": "a.b#CException"}, "CException", ("cexception",)),
        ({"error": {"type": "t", "details": {"error_code": "d"}}}, "t", ("d", "t")),
        ({"error": {"type": "t", "details": [{"reason": "r"}, 7]}}, "t", ("r", "t")),
        ({"error": {"code": "t", "innererror": {"code": "i"}}}, "t", ("i", "t")),
        ({"error": {"code": True, "type": ["x"]}}, None, ()),
        ([], None, ()),
        ("text", None, ()),
    ],
)
def test_codes_are_found_and_the_most_telling_come_first(
    payload: Any, code: str | None, words: tuple[str, ...]
) -> None:
    facts = read_error(payload, {})
    assert (facts.code, facts.words) == (code, words)


@pytest.mark.parametrize(
    ("error", "number"),
    [({"code": 502}, 502), ({"code": "429"}, 429), ({"status": 400}, 400), ({"statusCode": 429}, 429), ({"code": 200}, None),
     ({"code": 4000}, None), ({"code": "4xx"}, None), ({"code": -400}, None), ({"code": 400.0}, None), ({}, None)],
)  # fmt: skip
def test_a_number_counts_if_it_could_be_a_status(error: dict[str, Any], number: int | None) -> None:
    assert read_error({"error": error}, {}).number == number


def test_the_header_of_aws_names_the_error() -> None:
    facts = read_error({"message": "m"}, {"x-amzn-errortype": "ThrottlingException:http://internal/coral/"})
    assert (facts.code, facts.words) == ("ThrottlingException", ("throttlingexception",))


def test_wrapping_ends_somewhere() -> None:
    payload: Any = {"message": "deep"}
    for _ in range(50):
        payload = {"error": payload}
    assert read_error(payload, {}).message == ""


def test_a_body_is_json_or_nothing() -> None:
    assert parse_body(b'\n\n{"a":1}\n') == {"a": 1}
    for odd in (b"", b"x", b"{", b"[" * 100_000, b"\xff", b'{"a":NaN}'):
        assert parse_body(odd) is None


def test_pages_are_described_by_their_title_or_their_words() -> None:
    assert describe_body(b"<TITLE lang=en>\n Bad  Gateway </title>").endswith("HTML page: Bad Gateway")
    page = b"<html><style>a{}</style><script>x()</script><h1>Blocked</h1> <p>by\tproxy</p>"
    assert describe_body(page).endswith("HTML page: Blocked by proxy")
    assert len(describe_body(b"<html>" + b"x" * 100_000)) < 260
    assert len(describe_body(b"<" * 20_000)) < 260


def test_the_request_id_of_the_headers() -> None:
    assert request_id({"cf-ray": "b", "x-request-id": "a"}) == "a"
    assert request_id({"x-request-id": ""}) is None
    assert request_id({"x-request-id": 5, "cf-ray": "b"}) == "b"  # type: ignore[dict-item]  # of somebody's transport
