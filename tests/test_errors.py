"""The exception tree: what each class means, and that every error survives a trip to another process."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from callm import errors
from callm.errors import (
    AllFailed,
    APIError,
    CallmError,
    CallTimeout,
    OutputError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    describe_type,
    quote,
)
from callm.types import Finish, Response, TextDelta

FACTS: dict[str, Any] = {
    "phase": "connect",
    "seconds": 1.5,
    "status": 429,
    "body": "slow down",
    "code": "rate_limit_error",
    "retry_after": 2.0,
    "request_id": "req_1",
    "provider": "anthropic",
    "retryable": False,
    "text": "[1, 2",
    "problems": ("line 1",),
}

KINDS = {
    "CallmError": ("error", False),
    "ConfigError": ("config", False),
    "UnsupportedError": ("unsupported", False),
    "TransportError": ("connection", True),
    "CallTimeout": ("timeout", True),
    "PoolTimeout": ("timeout", True),
    "TruncatedStream": ("truncated_stream", True),
    "ProtocolError": ("protocol", True),
    "APIError": ("invalid_request", False),
    "InvalidRequestError": ("invalid_request", False),
    "AuthError": ("auth", False),
    "PermissionDeniedError": ("permission", False),
    "NotFoundError": ("not_found", False),
    "ConflictError": ("conflict", True),
    "RateLimitError": ("rate_limit", True),
    "QuotaError": ("quota_exhausted", False),
    "OverloadedError": ("overloaded", True),
    "ServerError": ("server_error", True),
    "ProviderTimeoutError": ("timeout", True),
    "ContextTooLongError": ("context_length", False),
    "ContentFilterError": ("content_filter", False),
    "OutputError": ("output", False),
    "LengthError": ("length", False),
    "RefusalError": ("refusal", False),
    "ConstraintError": ("constraint", False),
    "LimitError": ("limit", False),
    "CircuitOpen": ("circuit_open", False),
    "QueueTimeout": ("queue_timeout", False),
    "BudgetExceeded": ("budget", False),
    "AllFailed": ("all_failed", False),
    "DeadlineExceeded": ("deadline", False),
    "CallCancelled": ("cancelled", False),
}


def tree(root: type[CallmError]) -> Iterator[type[CallmError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


CLASSES = sorted(set(tree(CallmError)), key=lambda kind: kind.__name__)
SINGLE = [kind for kind in CLASSES if kind is not AllFailed]


def make(kind: type[CallmError]) -> CallmError:
    """Return an error of `kind` with every fact it can hold, a response, a note and a cause."""
    names = [name for name in inspect.signature(kind).parameters if name != "message"]
    error = kind("it failed", **{name: FACTS[name] for name in names})
    error.response = Response()
    error.response.add([TextDelta("half"), Finish("length")])
    error.add_note("a note")
    error.__cause__ = ValueError("below")
    return error


def test_every_class_has_its_kind_and_knows_whether_to_retry() -> None:
    assert {kind.__name__: (kind.kind, kind.retryable) for kind in CLASSES} == KINDS


@pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickle_copy_and_deepcopy(kind: type[CallmError]) -> None:
    error = make(kind)
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for other in (*copies, copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert (str(other), other.args, other.message) == (str(error), error.args, "it failed")
        assert vars(other) == vars(error)
        assert other.retryable is error.retryable
        assert other.response is not None
        assert other.response.text == "half"


@pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.__name__)
def test_every_error_can_be_made_of_its_message_alone_or_of_nothing(kind: type[CallmError]) -> None:
    assert (str(kind("no")), kind("no").message, kind().message, kind().response) == ("no", "no", "", None)


def all_failed() -> AllFailed:
    first, second = RateLimitError("slow down", status=429), QuotaError("no money")
    first.model, first.attempts, second.model = "openai/a", 3, "openai/b"
    return AllFailed("all 2 models failed", [first, second])


def test_the_failure_of_all_says_who_failed_how_and_how_often() -> None:
    lines = str(all_failed()).splitlines()
    assert lines[0] == "all 2 models failed"
    assert lines[1] == "- openai/a, 3 attempts: RateLimitError: slow down (HTTP 429)"
    assert lines[2] == "- openai/b: QuotaError: no money"


def test_the_failure_of_all_may_be_retried_if_one_of_them_may() -> None:
    assert all_failed().retryable
    assert not AllFailed("no", [QuotaError("no money")]).retryable


def test_the_failure_of_all_survives_pickle_copy_and_deepcopy() -> None:
    error = all_failed()
    error.response = Response()
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is AllFailed
        assert (str(other), other.retryable, other.response) == (str(error), True, Response())
        assert [vars(one) for one in other.exceptions] == [vars(one) for one in error.exceptions]


def test_the_failure_of_all_can_be_taken_apart() -> None:
    seen: list[str] = []
    try:
        try:
            raise all_failed()
        except* RateLimitError as group:
            seen += [one.model for one in group.exceptions if isinstance(one, CallmError)]
    except AllFailed as rest:
        seen += [one.model for one in rest.exceptions if isinstance(one, CallmError)]
    assert seen == ["openai/a", "openai/b"]


def test_retryable_is_the_classs_unless_the_maker_knows_better() -> None:
    assert RateLimitError("x").retryable
    assert not RateLimitError("x", retryable=False).retryable
    assert QuotaError("x", retryable=True).retryable


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, "no"),
        ({"status": 429}, "no (HTTP 429)"),
        ({"provider": "openai", "code": "x"}, "no (openai, x)"),
        (
            {"status": 400, "provider": "openai", "code": "x", "request_id": "req_1"},
            "no (HTTP 400, openai, x) [request req_1]",
        ),
    ],
)
def test_an_api_error_tells_what_is_known(facts: dict[str, Any], text: str) -> None:
    assert str(APIError("no", **facts)) == text


def test_bodies_and_answers_are_quoted_not_carried() -> None:
    assert len(APIError("x", body="b" * 9999).body) == 200
    assert len(ProtocolError("x", body="b" * 9999).body) == 200
    assert len(OutputError("x", text="t" * 9999).text) == 500
    assert OutputError("x", problems=["a", "b"]).problems == ("a", "b")


def test_a_timeout_says_what_it_waited_for() -> None:
    error = CallTimeout("late", phase="first_content", seconds=2.0)
    assert (error.phase, error.seconds) == ("first_content", 2.0)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", ""),
        (b"short", "short"),
        (b"two\r\n\tlines  here", "two lines here"),
        (b"\xff\x00\x1b[31mred", "\ufffd [31mred"),
        ("é" * 200, "é" * 200),
        ("é" * 201, "é" * 199 + "…"),
        (("é" * 201).encode(), "é" * 199 + "…"),
        (b" " * 10_000 + b"far away", ""),
        ("a\u2028b\u202ec", "a b c"),
    ],
)
def test_a_quote_is_one_printable_line_of_at_most_200_characters(body: bytes | str, shown: str) -> None:
    assert quote(body) == shown


def test_a_quote_can_be_shorter() -> None:
    assert quote("abcdef", 3) == "ab…"


@pytest.mark.parametrize(("value", "name"), [(None, "null"), (1, "int"), ("a", "str"), (ValueError(), "ValueError")])
def test_a_wrong_value_is_described_by_its_type(value: object, name: str) -> None:
    assert describe_type(value) == name
