from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import APIError
from callm.types import Secret
from callm.wire.api_error import api_error, error_from_payload

MODEL_PAYLOAD = {"message": "x" * 10}


def body(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


def google(status: int, word: str, message: str, *details: dict[str, Any]) -> bytes:
    return body(code=status, message=message, status=word, details=list(details))


VIOLATION = {"@type": "type.googleapis.com/google.rpc.QuotaFailure"}
AWS = "x-amzn-errortype"

# status, headers, body, kind, retryable, code
CASES: dict[str, tuple[int, dict[str, str], bytes, str, bool, str | None]] = {
    "openai 400": (400, {}, body(message="m", type="invalid_request_error", code=None), "invalid_request", False, None),
    "openai 401": (401, {}, body(message="m", type="invalid_request_error", code="invalid_api_key"), "auth", False, "invalid_api_key"),
    "openai 401 without a code": (401, {}, body(message="m", type="invalid_request_error", code=None), "auth", False, None),
    "openai 403": (403, {}, body(message="m", code="unsupported_country_region_territory"), "permission", False, "unsupported_country_region_territory"),
    "openai 404": (404, {}, body(message="m", type="invalid_request_error", code="model_not_found"), "not_found", False, "model_not_found"),
    "openai 400 no model": (400, {}, body(message="m", code="model_not_found"), "not_found", False, "model_not_found"),
    "openai context": (400, {}, body(message="m", code="context_length_exceeded"), "context_length", False, "context_length_exceeded"),
    "openai prompt": (400, {}, body(message="m", code="invalid_prompt"), "content_filter", False, "invalid_prompt"),
    "openai policy": (400, {}, body(message="m", code="content_policy_violation"), "content_filter", False, "content_policy_violation"),
    "openai quota": (429, {}, body(message="m", type="insufficient_quota", code="insufficient_quota"), "quota_exhausted", False, "insufficient_quota"),
    "openai rate": (429, {}, body(message="m", type="tokens", code="rate_limit_exceeded"), "rate_limit", True, "rate_limit_exceeded"),
    "openai too large": (429, {}, body(message="Request too large for m: Limit 30000, Requested 40000", code="rate_limit_exceeded"), "rate_limit", False, "rate_limit_exceeded"),
    "openai more than the limit": (429, {}, body(message="tokens per min (TPM): Limit 30000, Requested 40000."), "rate_limit", False, None),
    "openai within the limit": (429, {}, body(message="tokens per min: Limit 30000, Used 1, Requested 500."), "rate_limit", True, None),
    "openai flex": (429, {}, body(message="m", code="resource_unavailable"), "overloaded", True, "resource_unavailable"),
    "openai slow down": (503, {}, body(message="m", code="slow_down"), "rate_limit", True, "slow_down"),
    "openai overloaded": (503, {}, body(message="m", code="server_is_overloaded"), "overloaded", True, "server_is_overloaded"),
    "openai 500": (500, {}, body(message="m", type="server_error"), "server_error", True, "server_error"),
    "conflict": (409, {}, body(message="m"), "conflict", True, None),
    "unprocessable": (422, {}, body(message="m"), "invalid_request", False, None),
    "too early": (425, {}, body(message="m"), "server_error", True, None),
    "timeout": (408, {}, body(message="m"), "timeout", True, None),
    "gateway timeout": (504, {}, body(message="m"), "timeout", True, None),
    "not implemented": (501, {}, body(message="m"), "server_error", False, None),
    "http version": (505, {}, body(message="m"), "server_error", False, None),
    "bad gateway": (502, {}, body(message="m"), "server_error", True, None),
    "cloudflare 520": (520, {}, b"", "server_error", True, None),
    "cloudflare 521": (521, {}, b"", "server_error", True, None),
    "cloudflare 522": (522, {}, b"", "timeout", True, None),
    "cloudflare 523": (523, {}, b"", "server_error", True, None),
    "cloudflare 524": (524, {}, b"", "timeout", True, None),
    "unknown 5xx": (599, {}, b"", "server_error", True, None),
    "gone": (410, {}, body(message="m"), "not_found", False, None),
    "cancelled": (499, {}, body(message="m"), "invalid_request", False, None),
    "redirect": (302, {}, b"", "invalid_request", False, None),
    "should retry": (400, {"X-Should-Retry": "true"}, body(message="m"), "invalid_request", True, None),
    "should not retry": (500, {"x-should-retry": "false"}, body(message="m"), "server_error", False, None),
    "quota never": (429, {"x-should-retry": "true"}, body(message="m", code="insufficient_quota"), "quota_exhausted", False, "insufficient_quota"),
    "too large never": (429, {"x-should-retry": "true"}, body(message="Request too large"), "rate_limit", False, None),
    "anthropic 529": (529, {}, b'{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}', "overloaded", True, "overloaded_error"),
    "anthropic 413": (413, {}, body(type="request_too_large", message="m"), "invalid_request", False, "request_too_large"),
    "anthropic context": (400, {}, body(type="invalid_request_error", message="prompt is too long: 2 tokens > 1 maximum"), "context_length", False, "invalid_request_error"),
    "anthropic spend": (429, {}, body(type="rate_limit_error", message="m", details={"error_code": "enforced_spend_limit_reached"}), "quota_exhausted", False, "rate_limit_error"),
    "anthropic ramp": (429, {}, body(type="rate_limit_error", message="m", details={"error_code": "ramp_limit_exceeded"}), "rate_limit", True, "rate_limit_error"),
    "anthropic credit": (400, {}, body(type="invalid_request_error", message="Your credit balance is too low to access the API"), "quota_exhausted", False, "invalid_request_error"),
    "anthropic billing": (402, {}, body(type="billing_error", message="m"), "quota_exhausted", False, "billing_error"),
    "anthropic filter": (400, {}, body(type="invalid_request_error", message="Output blocked by content filtering policy"), "content_filter", False, "invalid_request_error"),
    "anthropic 504": (504, {}, body(type="timeout_error", message="m"), "timeout", True, "timeout_error"),
    "anthropic long context rate": (429, {}, body(type="rate_limit_error", message="too many tokens for this context window"), "rate_limit", True, "rate_limit_error"),
    "google rate": (429, {}, google(429, "RESOURCE_EXHAUSTED", "Please retry in 17.4s", {"retryDelay": "17s"}), "rate_limit", True, "RESOURCE_EXHAUSTED"),
    "google daily": (429, {}, google(429, "RESOURCE_EXHAUSTED", "m", {**VIOLATION, "violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}), "quota_exhausted", False, "RESOURCE_EXHAUSTED"),
    "google none": (429, {}, google(429, "RESOURCE_EXHAUSTED", "m", {**VIOLATION, "violations": [{"quotaValue": "0"}]}), "quota_exhausted", False, "RESOURCE_EXHAUSTED"),
    "google limit 0": (429, {}, google(429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0, model: m"), "quota_exhausted", False, "RESOURCE_EXHAUSTED"),
    "google hours": (429, {}, google(429, "RESOURCE_EXHAUSTED", "m", {"retryDelay": "40000s"}), "quota_exhausted", False, "RESOURCE_EXHAUSTED"),
    "google key": (400, {}, google(400, "INVALID_ARGUMENT", "m", {"reason": "API_KEY_INVALID"}), "auth", False, "INVALID_ARGUMENT"),
    "google context": (400, {}, google(400, "INVALID_ARGUMENT", "The input token count (5) exceeds the maximum number of tokens allowed (3)."), "context_length", False, "INVALID_ARGUMENT"),
    "google list": (503, {}, b'[{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}]', "overloaded", True, "UNAVAILABLE"),
    "aws throttle": (429, {AWS: "ThrottlingException:http://internal/x"}, b'{"message":"m"}', "rate_limit", True, "ThrottlingException"),
    "aws daily": (429, {AWS: "ThrottlingException"}, b'{"message":"Too many tokens per day, wait"}', "quota_exhausted", False, "ThrottlingException"),
    "aws not ready": (429, {AWS: "ModelNotReadyException"}, b'{"message":"m"}', "overloaded", True, "ModelNotReadyException"),
    "aws quota": (400, {AWS: "ServiceQuotaExceededException"}, b'{"message":"m"}', "quota_exhausted", False, "ServiceQuotaExceededException"),
    "aws context": (400, {AWS: "ValidationException"}, b'{"message":"Input is too long for requested model."}', "context_length", False, "ValidationException"),
    "aws expired": (403, {}, b'{"__type":"com.amazon#ExpiredTokenException","Message":"m"}', "auth", False, "ExpiredTokenException"),
    "aws conflict": (400, {AWS: "ConflictException"}, b'{"message":"m"}', "conflict", False, "ConflictException"),
    "aws model error": (424, {AWS: "ModelErrorException"}, b'{"message":"m"}', "server_error", True, "ModelErrorException"),
    "aws model 5xx": (424, {AWS: "ModelErrorException"}, b'{"message":"m","originalStatusCode":503}', "server_error", True, "ModelErrorException"),
    "aws model 4xx": (424, {AWS: "ModelErrorException"}, b'{"message":"m","originalStatusCode":400}', "server_error", False, "ModelErrorException"),
    "failed dependency": (424, {}, body(message="m"), "server_error", False, None),
    "azure filter": (400, {}, body(message="The response was filtered", type=None, code="content_filter", status=400, innererror={"code": "ResponsibleAIPolicyViolation"}), "content_filter", False, "content_filter"),
    "azure filter in words": (400, {}, body(message="... triggering Azure OpenAI's content management policy."), "content_filter", False, None),
    "azure deployment": (404, {}, body(code="DeploymentNotFound", message="m"), "not_found", False, "DeploymentNotFound"),
    "azure gateway": (429, {}, b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 6 seconds."}', "rate_limit", True, None),
    "groq too large": (413, {}, body(message="m", type="tokens", code="rate_limit_exceeded"), "rate_limit", False, "rate_limit_exceeded"),
    "groq capacity": (498, {}, body(message="m", code="capacity_exceeded"), "overloaded", True, "capacity_exceeded"),
    "groq bad call": (400, {}, body(message="m", code="tool_use_failed", failed_generation="<x"), "invalid_request", True, "tool_use_failed"),
    "vllm": (400, {}, body(message="This model's maximum context length is 10 tokens. However, you requested 12", type="BadRequestError", param=None, code=400), "context_length", False, "400"),
    "vllm flat": (404, {}, b'{"object":"error","message":"m","type":"NotFoundError","param":null,"code":404}', "not_found", False, "404"),
    "llama.cpp loading": (503, {}, body(code=503, message="Loading model", type="unavailable_error"), "overloaded", True, "503"),
    "llama.cpp context": (400, {}, body(code=400, message="m", type="exceed_context_size_error", n_ctx=1), "context_length", False, "400"),
    "llama.cpp old context": (500, {}, body(code=500, message="Context size has been exceeded.", type="server_error"), "context_length", False, "500"),
    "openrouter credits": (402, {}, body(code=402, message="m"), "quota_exhausted", False, "402"),
    "openrouter in flight": (402, {}, body(code="in_flight_budget_exhausted", message="insufficient credits"), "rate_limit", True, "in_flight_budget_exhausted"),
    "openrouter moderation": (403, {}, body(code=403, message="m", metadata={"reasons": ["violence"], "flagged_input": "x"}), "content_filter", False, "403"),
    "openrouter raw context": (400, {}, body(code=400, message="Provider returned error", metadata={"raw": "context window exceeded"}), "context_length", False, "400"),
    "deepseek balance": (402, {}, body(message="Insufficient Balance", type="unknown_error", code="invalid_request_error"), "quota_exhausted", False, "invalid_request_error"),
    "mistral nested": (422, {}, b'{"object":"error","message":{"detail":[{"loc":["body","stop"],"msg":"bad"}]},"type":"invalid_request_error","code":null}', "invalid_request", False, None),
    "mistral 401": (401, {}, b'{"detail":"Unauthorized"}', "auth", False, None),
    "qwen context": (400, {}, body(message="Range of input length should be [1, 10]"), "context_length", False, None),
    "xai flat": (403, {}, b'{"code":"forbidden","error":"Content violates usage guidelines"}', "content_filter", False, "forbidden"),
    "xai violates": (403, {}, b'{"code":"forbidden","error":"Your prompt violates our usage policies."}', "content_filter", False, "forbidden"),
    "ollama": (404, {}, b'{"error":"model \\"x\\" not found, try pulling it first"}', "not_found", False, None),
    "string too long": (400, {}, body(message="m", code="string_above_max_length"), "context_length", False, "string_above_max_length"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_known_refusal_becomes_its_error(name: str) -> None:
    status, headers, data, kind, retryable, code = CASES[name]
    error = api_error(status, headers, data, provider="p")
    assert (error.kind, error.retryable, error.code, error.status, error.provider) == (
        kind,
        retryable,
        code,
        status,
        "p",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"error":{"message":"no"}}', "no"),
        (b'{"error":"no"}', "no"),
        (b'{"message":"no"}', "no"),
        (b'{"Message":"no"}', "no"),
        (b'{"detail":"no"}', "no"),
        (b'{"detail":[{"loc":["body","temperature"],"msg":"too hot","type":"x"},{"msg":"no"}]}', "body.temperature: too hot; no"),
        (b'{"object":"error","message":"no"}', "no"),
        (b'{"message":{"detail":[{"loc":["body","stop"],"msg":"bad"}]}}', "body.stop: bad"),
        (b'{"errors":["no","never"]}', "no; never"),
        (b'{"errors":[{"message":"no"}]}', "no"),
        (b'[{"error":{"message":"no"}}]', "no"),
        (b'{"type":"error","error":{"type":"t","message":"no"}}', "no"),
        (b'{"error":{"message":"Provider returned error","metadata":{"raw":"really no"}}}', "Provider returned error: really no"),
        (b'{"error":{"error":{"message":"no"}}}', "no"),
        (b"upstream connect error\n", "upstream connect error"),
        (b"", "the server answered with an empty body"),
        (b"  \n", "the server answered with an empty body"),
        (b"<html><head><title>502 Bad\nGateway</title></head><body>x</body></html>", "the server answered with an HTML page: 502 Bad Gateway"),
        (b"<!DOCTYPE html><h1>Blocked</h1><p>by proxy", "the server answered with an HTML page: Blocked by proxy"),
        (b"{}", "the provider reported an error without a message: {}"),
        (b'{"error":{}}', 'the provider reported an error without a message: {"error":{}}'),
        (b"[]", "the provider reported an error without a message: []"),
        (b"[[1]]", "the provider reported an error without a message: [[1]]"),
        (b'{"error":{"message":17}}', 'the provider reported an error without a message: {"error":{"message":17}}'),
        (b"null", "null"),
        (b"17", "17"),
        (b'"no"', '"no"'),
        (b'{"error": {"mess', '{"error": {"mess'),
        (b"\xff\xfe", "��"),
        (b"[" * 100_000, "[" * 199 + "…"),
    ],
)  # fmt: skip
def test_the_message_is_found_in_every_shape_of_body(data: bytes, message: str) -> None:
    error = api_error(400, {}, data)
    assert error.message == message
    assert len(error.body) <= 200


def test_no_more_than_200_characters_of_a_body_are_quoted() -> None:
    for data in (
        b"x" * 5000,
        body(message="x" * 5000),
        b"<html>" + b"x" * 5000,
        json.dumps({"a": "x" * 5000}).encode(),
    ):
        error = api_error(500, {}, data)
        assert "x" * 201 not in str(error)
        assert len(error.body) <= 200


@pytest.mark.parametrize(
    ("headers", "data", "request_id"),
    [
        ({"X-Request-Id": "a", "cf-ray": "b"}, b"{}", "a"),
        ({"request-id": "a"}, b'{"request_id":"b"}', "a"),
        ({"apim-request-id": "a"}, b"", "a"),
        ({"x-amzn-requestid": "a"}, b"", "a"),
        ({"x-generation-id": "a"}, b"", "a"),
        ({"mistral-correlation-id": "a"}, b"", "a"),
        ({"cf-ray": "a"}, b"", "a"),
        ({}, b'{"type":"error","error":{},"request_id":"a"}', "a"),
        ({}, b'{"error":{"request_id":"a"}}', "a"),
        ({}, b'{"request_id":7}', None),
        ({}, b"", None),
    ],
)
def test_the_request_id_is_found_in_headers_and_body(
    headers: dict[str, str], data: bytes, request_id: str | None
) -> None:
    assert api_error(500, headers, data).request_id == request_id


def test_the_wait_is_read_from_header_body_and_message() -> None:
    limit = {"x-ratelimit-reset-tokens": "1.45s", "x-ratelimit-remaining-tokens": "0"}
    assert api_error(429, {"Retry-After": "3"}, b"{}").retry_after == 3.0
    assert api_error(429, {}, google(429, "RESOURCE_EXHAUSTED", "m", {"retryDelay": "17s"})).retry_after == 17.0
    assert api_error(429, {}, body(message="Please try again in 1.2s.")).retry_after == 1.2
    assert api_error(429, limit, b"{}").retry_after == 1.45
    assert api_error(500, limit, b"{}").retry_after is None  # the limits have nothing to do with this failure
    dated = {"retry-after": "Mon, 21 Sep 2026 14:13:50 GMT"}
    assert api_error(503, dated, b"", now=1_790_000_000.0).retry_after == 30.0


# payload, kind, retryable, code
INSIDE: dict[str, tuple[Any, str, bool, str | None]] = {
    "by type": ({"error": {"type": "overloaded_error", "message": "m"}}, "overloaded", True, "overloaded_error"),
    "unknown type": ({"error": {"type": "server_error", "message": "m", "code": None}}, "server_error", True, None),
    "by number": ({"error": {"code": 502, "message": "m"}}, "server_error", True, "502"),
    "by number 429": ({"error": {"code": 429, "message": "m"}}, "rate_limit", True, "429"),
    "by digits": ({"error": {"code": "401", "message": "m"}}, "auth", False, "401"),
    "no number": ({"error": {"code": 200, "message": "m"}}, "server_error", True, "200"),
    "vllm": ({"error": {"code": 400, "type": "BadRequestError", "message": "m"}}, "invalid_request", False, "400"),
    "vllm context": ({"error": {"code": 400, "message": "the maximum context length is 3"}}, "context_length", False, "400"),
    "code": ({"error": {"code": "context_length_exceeded", "message": "m"}}, "context_length", False, "context_length_exceeded"),
    "quota": ({"error": {"code": "insufficient_quota", "message": "m"}}, "quota_exhausted", False, "insufficient_quota"),
    "text": ({"error": "CUDA error"}, "server_error", True, None),
    "filter": ({"error": {"code": "bio_policy", "message": "m"}}, "content_filter", False, "bio_policy"),
    "aws": ({"__type": "modelStreamErrorException", "message": "m"}, "server_error", True, "modelStreamErrorException"),
    "aws throttling": ({"__type": "throttlingException", "message": "m"}, "rate_limit", True, "throttlingException"),
    "aws validation": ({"__type": "validationException", "message": "m"}, "invalid_request", False, "validationException"),
    "permission": ({"error": {"type": "permission_error", "message": "m"}}, "permission", False, "permission_error"),
    "not found": ({"error": {"type": "not_found_error", "message": "m"}}, "not_found", False, "not_found_error"),
    "conflict": ({"error": {"type": "conflict_error", "message": "m"}}, "conflict", True, "conflict_error"),
    "auth": ({"error": {"type": "authentication_error", "message": "m"}}, "auth", False, "authentication_error"),
    "timeout": ({"error": {"type": "timeout_error", "message": "m"}}, "timeout", True, "timeout_error"),
    "google": ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m", "details": [7]}}, "rate_limit", True, "RESOURCE_EXHAUSTED"),
    "true": ({"error": True}, "server_error", True, None),
    "odd code": ({"error": {"code": True, "message": "m"}}, "server_error", True, None),
    "list code": ({"error": {"code": [1], "message": "m"}}, "server_error", True, None),
    "nothing": (None, "server_error", True, None),
    "list": ([], "server_error", True, None),
    "no JSON data": (object(), "server_error", True, None),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_an_error_inside_an_answer_is_judged_by_its_words(name: str) -> None:
    payload, kind, retryable, code = INSIDE[name]
    error = error_from_payload(payload, status=None)
    assert (error.kind, error.retryable, error.code, error.status) == (kind, retryable, code, None)
    assert error.message


def test_a_number_too_long_to_write_is_no_code() -> None:
    assert error_from_payload({"error": {"code": 10**5000, "message": "m"}}, status=400).code is None


def test_the_key_is_masked_where_a_provider_repeats_it() -> None:
    key = "sk-" + "a" * 40
    for data in (body(message=f"Incorrect API key: {key}"), f"bad key {key}".encode()):
        error = api_error(401, {}, data, secret=Secret(key))
        assert key not in str(error) + repr(error) + error.body
        assert "***" in error.message


def test_a_placeholder_for_no_key_is_not_masked() -> None:
    assert api_error(400, {}, body(message="no EMPTY input"), secret=Secret("EMPTY")).message == "no EMPTY input"


def test_a_key_that_pickle_dropped_does_not_hide_the_error() -> None:
    dropped = pickle.loads(pickle.dumps(Secret("sk-" + "a" * 40)))
    assert api_error(400, {}, body(message="m"), secret=dropped).message == "m"


def test_errors_survive_pickle_and_copy() -> None:
    error = api_error(429, {"retry-after": "2", "x-request-id": "r"}, body(message="m", code="c"), provider="p")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["error", "message", "code", "details", "type", "detail", "errors"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON, st.sampled_from([None, 200, 302, 400, 413, 429, 500, 599]))
def test_any_json_makes_an_error_with_a_short_message(payload: Any, status: int | None) -> None:
    error = error_from_payload(payload, status=status)
    assert isinstance(error, APIError)
    assert 0 < len(error.message) <= 200


@given(st.binary(max_size=300), st.integers(300, 599))
def test_any_bytes_make_an_error_with_a_short_message(data: bytes, status: int) -> None:
    error = api_error(status, {}, data)
    assert error.status == status
    assert 0 < len(error.message) <= 250
