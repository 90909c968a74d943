"""A provider's refusal to an exception: whatever words and statuses it uses.

The decision, in this order (each step is a table below):

1. the account has no money or quota left;
2. the prompt is too long, or a content filter refused it;
3. a word that says more than the status (`invalid_api_key` with 400, `resource_unavailable` with 429);
4. the HTTP status; for an error inside an answer that began with 200, the words and the number in its body.

The header `x-should-retry` then has the last word on `retryable`, except where trying again can't help.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from callm.errors import (
    APIError,
    AuthError,
    ConfigError,
    ConflictError,
    ContentFilterError,
    ContextTooLongError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
    describe_type,
    quote,
)
from callm.types import Secret
from callm.wire.error_body import ErrorFacts, describe_body, parse_body, read_error, request_id
from callm.wire.retry_after import parse_duration, retry_after
from callm.wire.untyped import as_list, as_object, objects, text

_Verdict: TypeAlias = tuple[type[APIError], bool | None]
"""The class, and `retryable` where it is not the class's own."""

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

_QUOTA: Final = frozenset(
    {
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached",
        "billing_not_active", "access_terminated", "enforced_spend_limit_reached",
        "contract_spend_limit_reached", "billing_error", "payment_required", "insufficient_balance",
        "insufficient_credits", "servicequotaexceededexception",
    }
)  # fmt: skip
_CONTEXT: Final = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_FILTERED: Final = frozenset(
    {
        "content_policy_violation", "content_filter", "content_filtered", "invalid_prompt",
        "responsibleaipolicyviolation", "bio_policy", "misalignment_policy_violation",
        "image_content_policy_violation",
    }
)  # fmt: skip

_QUOTA_TEXT: Final = re.compile(
    r"credit balance is too low|insufficient (?:balance|credits?|quota|funds)|spend(?:ing)? limit"
    r"|too many tokens per day|\blimit: 0\b(?!\.)",
    re.IGNORECASE,
)
_QUOTA_STATUSES: Final = frozenset({None, 400, 402, 403, 429})
_CONTEXT_TEXT: Final = re.compile(
    r"maximum context length|context length|context window|context size has been exceeded|exceed context limit"
    r"|prompt (?:is )?too long|input is too long|input length and .?max_tokens.? exceed"
    r"|input token count .{0,60}exceeds the maximum|exceeds the available context size|too many (?:input )?tokens"
    r"|exceeds the maximum number of tokens|requested token count exceeds|reduce the length of the (?:messages|prompt)"
    r"|max_model_len|range of input length",
    re.IGNORECASE,
)
_CONTEXT_STATUSES: Final = frozenset({None, 400, 413, 422, 500})  # with 429 the same words mean a rate
_FILTER_TEXT: Final = re.compile(
    r"blocked by content filtering policy|violates? (?:\S+ )?usage (?:guidelines|policies|policy)"
    r"|content management policy",
    re.IGNORECASE,
)
_TOO_LARGE: Final = re.compile(r"request too large|limit:? (\d{1,18})\b.{0,80}requested:? (\d{1,18})\b", re.IGNORECASE)
_SHORTEST_KEY: Final = 12
_TOO_MANY: Final = 429
_TOO_BIG: Final = 413
_SERVER: Final = 500
_LONG_WAIT: Final = 3600.0
"""Seconds: Google asks for hours when a quota of the day is used up, which is no rate limit."""

_TELLING: Final[Mapping[str, _Verdict]] = {  # words that say more than the status they come with
    "in_flight_budget_exhausted": (RateLimitError, True),  # OpenRouter, with 402
    "invalid_api_key": (AuthError, None),
    "api_key_invalid": (AuthError, None),  # Google, with 400
    "expiredtokenexception": (AuthError, None),
    "unrecognizedclientexception": (AuthError, None),
    "invalidsignatureexception": (AuthError, None),
    "incompletesignature": (AuthError, None),
    "unsupported_country_region_territory": (PermissionDeniedError, None),
    "model_not_found": (NotFoundError, None),
    "deploymentnotfound": (NotFoundError, None),
    "conflictexception": (ConflictError, False),  # AWS, with 400
    "resource_unavailable": (OverloadedError, None),  # OpenAI flex, with 429
    "server_is_overloaded": (OverloadedError, None),
    "overloaded_error": (OverloadedError, None),
    "capacity_exceeded": (OverloadedError, None),
    "insufficient_system_resource": (OverloadedError, None),
    "modelnotreadyexception": (OverloadedError, None),  # AWS, with 429
    "slow_down": (RateLimitError, None),
    "ramp_limit_exceeded": (RateLimitError, None),
    "tool_use_failed": (InvalidRequestError, True),  # Groq, with 400: the model wrote a bad call; another try may do
    "json_validate_failed": (InvalidRequestError, True),
}
_GENERAL: Final[Mapping[str, _Verdict]] = {  # words that count only where no status came
    **dict.fromkeys(
        ("invalid_request_error", "invalid_request", "badrequesterror", "invalid_argument", "failed_precondition",
         "validationexception", "request_too_large", "not_supported_error"),
        (InvalidRequestError, None),
    ),
    **dict.fromkeys(
        ("authentication_error", "authenticationerror", "unauthenticated", "unauthorized"), (AuthError, None)
    ),
    **dict.fromkeys(
        ("permission_error", "permission_denied", "permissiondeniederror", "accessdeniedexception", "forbidden"),
        (PermissionDeniedError, None),
    ),
    **dict.fromkeys(
        ("not_found_error", "notfounderror", "not_found", "resourcenotfoundexception"), (NotFoundError, None)
    ),
    **dict.fromkeys(("conflict_error", "conflict", "aborted"), (ConflictError, None)),
    **dict.fromkeys(
        ("rate_limit_error", "rate_limit_exceeded", "ratelimiterror", "ratelimitreached", "resource_exhausted",
         "throttlingexception", "too_many_requests"),
        (RateLimitError, None),
    ),
    **dict.fromkeys(
        ("unavailable", "unavailable_error", "service_unavailable", "service_unavailable_error",
         "serviceunavailableexception"),
        (OverloadedError, None),
    ),
    **dict.fromkeys(
        ("timeout_error", "deadline_exceeded", "modeltimeoutexception", "request_timeout", "time_limit"), (ProviderTimeoutError, None)
    ),
    **dict.fromkeys(
        ("api_error", "server_error", "internal", "internal_error", "internalservererror", "internalserverexception",
         "internalfailure"),
        (ServerError, None),
    ),
}  # fmt: skip
_STATUSES: Final[Mapping[int, _Verdict]] = {
    401: (AuthError, None),
    402: (QuotaError, None),
    403: (PermissionDeniedError, None),
    404: (NotFoundError, None),
    408: (ProviderTimeoutError, None),
    409: (ConflictError, None),
    410: (NotFoundError, None),
    424: (ServerError, False),  # a failed dependency; for AWS see `_model_error`
    425: (ServerError, True),
    429: (RateLimitError, None),
    498: (OverloadedError, None),  # Groq flex: no capacity
    501: (ServerError, False),
    503: (OverloadedError, None),
    504: (ProviderTimeoutError, None),
    505: (ServerError, False),
    522: (ProviderTimeoutError, None),  # Cloudflare: the provider's own server did not answer in time
    524: (ProviderTimeoutError, None),
    529: (OverloadedError, None),
}
_MODEL_ERRORS: Final = frozenset({"modelerrorexception", "modelstreamerrorexception"})


def api_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    provider: str = "",
    now: float | None = None,
    secret: Secret | None = None,
) -> APIError:
    """Return the exception for an HTTP answer that is no success.

    Args:
        status: its HTTP status.
        headers: its headers.
        body: its body, of any kind.
        provider: the provider's name.
        now: seconds since 1970; without it the header `date` is used where a time to retry at is given.
        secret: the key of the request, masked should the body repeat it.
    """
    payload = parse_body(body)
    if as_object(payload) is None and as_list(payload) is None:
        payload = {"message": describe_body(body)}
    error = error_from_payload(payload, status=status, provider=provider, headers=headers, now=now, secret=secret)
    error.body = _shown(quote(body), secret)
    return error


def error_from_payload(
    payload: Any,
    *,
    status: int | None,
    provider: str = "",
    headers: Mapping[str, str] = _NO_HEADERS,
    now: float | None = None,
    secret: Secret | None = None,
) -> APIError:
    """Return the exception for an error given as Python data; `status` is None inside an answer that began with 200."""
    headers = {name.lower(): value for name, value in headers.items()}
    facts = read_error(payload, headers)
    kind, retryable = _verdict(facts, status)
    limited = issubclass(kind, RateLimitError)
    body = _encode(payload)
    message = quote(facts.message) or f"the provider reported an error without a message: {quote(body)}"
    return kind(
        _shown(quote(message), secret),
        status=status,
        code=facts.code,
        retry_after=retry_after(headers, payload, facts.message, now, limits=limited),
        request_id=request_id(headers) or facts.request_id,
        body=_shown(quote(body), secret),
        provider=provider,
        retryable=_advice(headers.get("x-should-retry", ""), kind, facts, default=retryable),
    )


def _verdict(facts: ErrorFacts, status: int | None) -> _Verdict:
    effective = facts.number if status is None else status
    if _is_quota(facts, effective):
        return QuotaError, None
    if any(word in _CONTEXT for word in facts.words):
        return ContextTooLongError, None
    if effective in _CONTEXT_STATUSES and _CONTEXT_TEXT.search(facts.message):
        return ContextTooLongError, None
    if _is_filtered(facts):
        return ContentFilterError, None
    if any(word in _MODEL_ERRORS for word in facts.words):
        return ServerError, _model_error(facts)
    return _by_word(facts, status) or _by_status(effective, facts)


def _is_quota(facts: ErrorFacts, status: int | None) -> bool:
    if "in_flight_budget_exhausted" in facts.words:
        return False
    if any(word in _QUOTA for word in facts.words):
        return True
    if status in _QUOTA_STATUSES and _QUOTA_TEXT.search(facts.message):
        return True
    return status in {None, _TOO_MANY} and any(map(_is_daily, _details(facts)))


def _details(facts: ErrorFacts) -> list[dict[str, Any]]:
    """Return Google's details, and the violations of its QuotaFailure among them."""
    details = objects(facts.error.get("details"))
    return [*details, *(violation for detail in details for violation in objects(detail.get("violations")))]


def _is_daily(detail: Mapping[str, Any]) -> bool:
    wait = parse_duration(text(detail, "retryDelay")) or 0
    return "PerDay" in text(detail, "quotaId") or text(detail, "quotaValue") == "0" or wait >= _LONG_WAIT


def _is_filtered(facts: ErrorFacts) -> bool:
    metadata = as_object(facts.error.get("metadata")) or {}
    flagged = "reasons" in metadata or "flagged_input" in metadata  # OpenRouter
    return flagged or any(word in _FILTERED for word in facts.words) or bool(_FILTER_TEXT.search(facts.message))


def _model_error(facts: ErrorFacts) -> bool:
    """Return whether an AWS model error may be tried again: unless the model itself refused with a 4xx."""
    original = facts.error.get("originalStatusCode")
    return not isinstance(original, int) or original == _TOO_MANY or original >= _SERVER


def _by_word(facts: ErrorFacts, status: int | None) -> _Verdict | None:
    tables = (_TELLING,) if status is not None else (_TELLING, _GENERAL)
    verdict = next((table[word] for table in tables for word in facts.words if word in table), None)
    if status == _TOO_BIG and "rate_limit_exceeded" in facts.words:  # Groq: larger than the tokens of a minute
        return RateLimitError, False
    return verdict


def _by_status(status: int | None, facts: ErrorFacts) -> _Verdict:
    if status is None or status >= _SERVER:
        return _STATUSES.get(status or _SERVER, (ServerError, None))
    if status == _TOO_MANY and _is_too_large(facts):
        return RateLimitError, False
    return _STATUSES.get(status, (InvalidRequestError, None))


def _is_too_large(facts: ErrorFacts) -> bool:
    """Return whether one request asks for more than a whole minute allows, so that no wait helps (OpenAI)."""
    found = _TOO_LARGE.search(facts.message)
    return found is not None and (found[1] is None or int(found[2]) > int(found[1]))


def _advice(header: str, kind: type[APIError], facts: ErrorFacts, *, default: bool | None) -> bool | None:
    match header.strip().lower():
        case "false":
            return False
        case "true" if kind is not QuotaError and not _is_too_large(facts):
            return True
        case _:
            return default


def _encode(payload: Any) -> bytes:
    try:
        return msgspec.json.encode(payload)
    except (TypeError, ValueError, RecursionError):  # data that came from no JSON
        return describe_type(payload).encode()


def _shown(words: str, secret: Secret | None) -> str:
    """Return `words` without the key, should a provider repeat it. Placeholders of servers without keys are left."""
    try:
        key = secret.reveal() if secret is not None else ""
    except ConfigError:  # it went through pickle, which drops the key
        return words
    return words.replace(key, "***") if len(key) >= _SHORTEST_KEY else words
