"""A tree of Models in words: what it is made of, and what it does about each class of error.

Both are read off the Models themselves and decided by the same policies that decide in a call, so they can't tell another story.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from callm import errors
from callm.errors import CallmError
from callm.middleware.breaker import Breaker
from callm.middleware.fallback import Fallback, falls_back
from callm.middleware.retry import Retry
from callm.middleware.round_robin import RoundRobin
from callm.policy.backoff import Backoff
from callm.policy.breaker import verdict

CLASSES: Final[tuple[tuple[str, type[CallmError]], ...]] = (
    ("no connection, connection lost", errors.TransportError),
    ("no content in time", errors.CallTimeout),
    ("cut off before content", errors.TruncatedStream),
    ("rate limit (429)", errors.RateLimitError),
    ("overloaded (503, 529)", errors.OverloadedError),
    ("server error (5xx)", errors.ServerError),
    ("not the provider's format", errors.ProtocolError),
    ("no money or quota", errors.QuotaError),
    ("key refused (401, 403)", errors.AuthError),
    ("no such model (404)", errors.NotFoundError),
    ("request refused (400)", errors.InvalidRequestError),
    ("prompt too long", errors.ContextTooLongError),
    ("content filter", errors.ContentFilterError),
    ("can't be said in its format", errors.UnsupportedError),
    ("circuit open", errors.CircuitOpen),
    ("line too long", errors.QueueTimeout),
    ("budget used up", errors.BudgetExceeded),
    ("total time over", errors.DeadlineExceeded),
)
"""The classes of error that a plan is asked about, in words."""


class _Certain:
    """Dice that show the middle."""

    def uniform(self, a: float, b: float, /) -> float:
        return (a + b) / 2


def tree(model: Any) -> list[str]:
    """Return the lines that draw `model` and what is inside."""
    return list(_lines(model, "", ""))


def _lines(model: Any, first: str, rest: str) -> Iterator[str]:
    yield first + _words(model)
    children = _children(model)
    for number, child in enumerate(children, 1):
        last = number == len(children)
        yield from _lines(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _children(model: Any) -> list[Any]:
    inner = getattr(model, "inner", None)
    return list(getattr(model, "models", ())) if inner is None else [inner]


def _words(model: Any) -> str:
    target = getattr(model, "target", None)
    if target is not None:
        return f"{model.name} at {target.base_url}"
    if isinstance(model, type) or not is_dataclass(model) or not _children(model):
        return str(getattr(model, "name", model))
    shown = [field.name for field in fields(model) if field.repr and field.name not in {"inner", "models"}]
    facts = [f"{name}={getattr(model, name)!r}" for name in shown]
    return f"{type(model).__name__}({', '.join(facts)})" if facts else type(model).__name__


def outcomes(model: Any) -> list[tuple[str, str]]:
    """Return, for each class of error, what happens if an attempt ends so before it has delivered content."""
    return [(words, "; ".join([*_steps(model, kind("")), "raised"])) for words, kind in CLASSES]


def _steps(model: Any, error: CallmError) -> Iterator[str]:
    children = _children(model)
    if isinstance(model, Fallback):
        for number, child in enumerate(children):
            yield from _steps(child, error)
            if not falls_back(error):
                return
            if number + 1 < len(children):
                yield f"then {children[number + 1].name}"
        return
    for child in children[:1]:
        yield from _steps(child, error)
    if isinstance(model, Breaker) and verdict(error) == "failure":
        yield "counted by the circuit"
    if isinstance(model, Retry) and (steps := _retries(model.backoff, error)):
        where = "the next model in turn" if isinstance(model.inner, RoundRobin) else model.name
        yield f"{where} again {steps}"


def _retries(backoff: Backoff, error: CallmError) -> str:
    waits = [backoff.delay(number, error, _Certain()) for number in range(1, backoff.retries + 1)]
    known = [f"{wait:.3g} s" for wait in waits if wait is not None]
    return f"{len(known)} x (after about {', '.join(known)}, or as it asks)" if known else ""
