"""What a call has cost so far, attempt by attempt: what the provider said, and an estimate where it said nothing.

1. An attempt that a provider refused costs nothing. One that ended in silence or in the middle costs its prompt and what
   came of the answer: the provider counts that, whether or not it lived to say so.
2. An answer from a cache costs nothing; its usage is that of the call that was stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callm.errors import AllFailed, CallmError, CallTimeout, TruncatedStream
from callm.policy.estimate import BYTES_PER_TOKEN
from callm.types import (
    CONTENT,
    AttemptFailed,
    CacheHit,
    Continued,
    Finish,
    ReasoningDelta,
    ResponseHeaders,
    Selected,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callm.types import Event

_BOOKKEEPING: Final = frozenset({AttemptFailed, CacheHit, Continued, Finish, ResponseHeaders, Selected, UsageReport})
_PROBABLY_SENT: Final = frozenset({CallTimeout.__name__, TruncatedStream.__name__})


class Meter:
    """Watches the events of a call. `attempts` has the model and the usage of each attempt that is over."""

    __slots__ = ("_characters", "_content", "_finished", "_input", "_usage", "attempts", "cached", "model")

    def __init__(self, prompt: int) -> None:
        """Begin a call whose prompt is estimated at so many tokens."""
        self._input = prompt
        self.attempts: list[tuple[str, Usage]] = []
        self.model = ""
        self.cached = False
        self._reset()

    def see(self, batch: Sequence[Event]) -> None:
        """Take the next events."""
        for event in batch:
            kind = type(event)
            if kind is TextDelta or kind is ReasoningDelta:
                self._characters += len(event.text)  # type: ignore[union-attr]  # `kind` says that it has a text
                self._content = True
            elif kind is ToolCallDelta:
                self._characters += len(event.arguments)  # type: ignore[union-attr]  # likewise, arguments
                self._content = True
            elif kind in _BOOKKEEPING:
                self._note(event)
            elif kind in CONTENT:
                self._content = True

    def end(self, error: CallmError | None = None, *, left: bool = False) -> list[tuple[str, Usage]]:
        """Return the usage of all attempts, with the last, which ended well, with `error`, or because the caller left."""
        while isinstance(error, AllFailed):  # the others have announced their failure
            error = next(each for each in reversed(error.exceptions) if isinstance(each, CallmError))
        if not self.cached:
            model = self.model if error is None else error.model or self.model
            self._close(model, self._usage, sent=left or self._finished or type(error).__name__ in _PROBABLY_SENT)
        return self.attempts

    def tokens(self, error: CallmError | None = None, *, left: bool = False) -> int:
        """Return the tokens of all attempts together; see `end`."""
        usages = [usage for _, usage in self.end(error, left=left)]
        return sum((usage.input_tokens or 0) + (usage.output_tokens or 0) for usage in usages)

    def _note(self, event: Event) -> None:
        match event:
            case UsageReport():
                self._usage = event.usage
            case Finish():
                self._finished = True
            case Selected():
                self.model = event.model
            case ResponseHeaders():
                self.model = event.endpoint or self.model
            case AttemptFailed():
                usage = self._usage if event.usage == Usage() else event.usage
                sent = event.error in _PROBABLY_SENT or event.kind == "hedged"
                self._close(event.model or self.model, usage, sent=sent)
            case Continued():
                self._usage, self._finished = event.usage, True
                self._close(self.model, event.usage, sent=True)
            case CacheHit():
                self.cached = True
            case _:
                pass

    def _close(self, model: str, usage: Usage, *, sent: bool) -> None:
        """Add an attempt, with estimates for what nobody said."""
        known = usage.input_tokens is not None or usage.output_tokens is not None
        if sent or known or self._content:
            seen = -(-self._characters // BYTES_PER_TOKEN)
            output = usage.output_tokens
            if output is None or not self._finished:  # in the middle of an answer, its count is behind
                output = max(output or 0, seen)
            prompt = self._input if usage.input_tokens is None else usage.input_tokens
            self.attempts.append(
                (model, usage + Usage(prompt - (usage.input_tokens or 0), output - (usage.output_tokens or 0)))
            )
        self._reset()

    def _reset(self) -> None:
        self._usage = Usage()
        self._characters = 0
        self._content = self._finished = False
