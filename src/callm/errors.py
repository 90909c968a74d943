"""The exception tree. A class says whose fault it is; `kind` is its stable name; `retryable` is decided where it is made.

Every error takes one positional message and keyword-only facts with defaults, so that pickle, copy and deepcopy
work without help: `args` is the message, everything else lives in the instance's dictionary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callm.types import Response

QUOTED_BODY = 200
"""How many characters of a provider's body an error message may quote."""

QUOTED_TEXT = 500
"""How many characters of a model's answer an `OutputError` may quote."""


class CallmError(Exception):
    """Base of everything callm raises on purpose.

    Attributes:
        response: what had arrived when the call failed (text, usage, ...), or None if nothing was read.
        retryable: whether the same request may succeed if it is sent again.
        retry_after: seconds to wait before that, where somebody says so.
        attempts: how many attempts were made at the model that failed.
        model: the model that failed, `provider/model`, where one did.
    """

    kind: ClassVar[str] = "error"
    retryable: bool = False
    response: Response | None = None
    retry_after: float | None = None
    attempts: int = 1
    model: str = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)

    @property
    def message(self) -> str:
        """The message without the notes."""
        return str(self.args[0]) if self.args else ""


class ConfigError(CallmError):
    """Something the caller wrote can't work: a model string, a missing key, a type. Nothing was sent."""

    kind = "config"


class UnsupportedError(ConfigError):
    """The request asks for something this provider's format has no place for. Nothing was sent."""

    kind = "unsupported"


class TransportError(CallmError):
    """The network failed: connection refused, reset, TLS, proxy."""

    kind = "connection"
    retryable = True


class CallTimeout(TransportError):
    """Nothing (more) came in time. `phase` is connect, pool, first_content or between_content."""

    kind = "timeout"

    def __init__(self, message: str = "", *, phase: str = "", seconds: float | None = None) -> None:
        super().__init__(message)
        self.phase = phase
        self.seconds = seconds


class PoolTimeout(CallTimeout):
    """No connection of the pool became free in time: raise the pool's size, or send less at once."""


class TruncatedStream(TransportError):
    """The answer ended without its provider's terminal marker. `response` holds what arrived; it is not the answer."""

    kind = "truncated_stream"


class ProtocolError(CallmError):
    """The server answered with something that is not the format it claims to speak."""

    kind = "protocol"
    retryable = True

    def __init__(self, message: str = "", *, status: int | None = None, body: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = body[:QUOTED_BODY]


class APIError(CallmError):
    """The provider refused or failed, by status or by an error inside the stream.

    Attributes:
        status: the HTTP status, or None when the error came inside an answer that had begun with 200.
        code: the provider's own code or type, as text.
        retry_after: seconds the provider asks to wait, or None.
        request_id: the provider's id of the request, or None.
        body: at most 200 characters of the body.
        provider: the name of the provider, or an empty string.
    """

    kind = "invalid_request"

    def __init__(  # noqa: PLR0913  # the facts of an HTTP error, all optional
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        body: str = "",
        provider: str = "",
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id
        self.body = body[:QUOTED_BODY]
        self.provider = provider
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        facts = [f"HTTP {self.status}" if self.status else "", self.provider, self.code or ""]
        where = ", ".join(fact for fact in facts if fact)
        request = f" [request {self.request_id}]" if self.request_id else ""
        return f"{self.message}{f' ({where})' if where else ''}{request}"


class InvalidRequestError(APIError):
    """The provider can't take this request (400, 413, 422)."""


class AuthError(APIError):
    """The key is missing, wrong or expired (401)."""

    kind = "auth"


class PermissionDeniedError(APIError):
    """The key may not do this (403)."""

    kind = "permission"


class NotFoundError(APIError):
    """No such model or address (404)."""

    kind = "not_found"


class ConflictError(APIError):
    """The provider reports a conflict (409)."""

    kind = "conflict"
    retryable = True


class RateLimitError(APIError):
    """Too many requests or tokens just now (429)."""

    kind = "rate_limit"
    retryable = True


class QuotaError(APIError):
    """The account's money or quota is used up: waiting does not help (402, or 429 with a quota code)."""

    kind = "quota_exhausted"


class OverloadedError(APIError):
    """The provider has no capacity just now (503, 529)."""

    kind = "overloaded"
    retryable = True


class ServerError(APIError):
    """The provider failed inside (5xx)."""

    kind = "server_error"
    retryable = True


class ProviderTimeoutError(APIError):
    """The provider itself gave up waiting (408, 504)."""

    kind = "timeout"
    retryable = True


class ContextTooLongError(APIError):
    """The prompt does not fit the model's context window."""

    kind = "context_length"


class ContentFilterError(APIError):
    """The provider's content filter refused the prompt or withheld the answer."""

    kind = "content_filter"


class OutputError(CallmError):
    """The model's answer is not the declared type.

    Attributes:
        text: at most 500 characters of the answer.
        problems: what did not fit, a line each.
    """

    kind = "output"

    def __init__(self, message: str = "", *, text: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.text = text[:QUOTED_TEXT]
        self.problems = tuple(problems)


class LengthError(OutputError):
    """The answer was cut by the token limit: raise `max_tokens`. It is never parsed."""

    kind = "length"


class RefusalError(OutputError):
    """The model refused; `text` is its explanation. It is never parsed."""

    kind = "refusal"


class ConstraintError(OutputError):
    """The answer has the declared type but breaks a declared constraint."""

    kind = "constraint"


class LimitError(CallmError):
    """A limit of our own ended the call: a deadline, a budget, an open circuit."""

    kind = "limit"


class DeadlineExceeded(LimitError):
    """The call's total time ran out."""

    kind = "deadline"

    def __init__(self, message: str = "", *, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class CircuitOpen(LimitError):
    """The circuit breaker refuses: the model failed too often just now. `retry_after` is when it will be tried again."""

    kind = "circuit_open"

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueTimeout(LimitError):
    """The rate limiter's line is too long: the request would wait longer than `max_wait`. Nothing was sent.

    `retry_after` is how long it would wait.
    """

    kind = "queue_timeout"

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetExceeded(LimitError):
    """A budget of money or tokens is used up. Nothing was sent."""

    kind = "budget"


class AllFailed(ExceptionGroup[CallmError], CallmError):
    """Every model of a fallback failed. `exceptions` has the error of each; `except*` takes them apart.

    It may be retried if one of them may.
    """

    kind = "all_failed"

    def __new__(cls, message: str, errors: Sequence[CallmError]) -> Self:
        """Make the group."""
        return super().__new__(cls, message, errors)

    def __init__(self, message: str, errors: Sequence[CallmError]) -> None:
        del message
        self.retryable = any(error.retryable for error in errors)

    def __str__(self) -> str:
        return "\n".join(
            [self.message, *(f"- {_line(error)}" for error in self.exceptions if isinstance(error, CallmError))]
        )

    def derive(self, excs: Sequence[CallmError], /) -> AllFailed:  # type: ignore[override]  # only our own errors are in it
        """Return a group of some of the errors, as `except*` needs it."""
        return AllFailed(self.message, excs)


def _line(error: CallmError) -> str:
    times = f", {error.attempts} attempts" if error.attempts > 1 else ""
    return f"{error.model or 'a model'}{times}: {type(error).__name__}: {error}"


class CallCancelled(CallmError):
    """The call's `Cancel` handle was used."""

    kind = "cancelled"


def quote(body: bytes | str, limit: int = QUOTED_BODY) -> str:
    """Return the start of `body` as one printable line of at most `limit` characters, for a message."""
    text = body[: limit * 4].decode("utf-8", "replace") if isinstance(body, bytes) else body
    text = "".join(character if character.isprintable() else " " for character in text[: limit * 4])
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def describe_type(value: Any) -> str:
    """Return how an error message names the type of a wrong `value`."""
    return "null" if value is None else type(value).__name__
