"""What a call has cost so far, attempt by attempt: what the provider said, and an estimate where it said nothing.

1. An attempt that a provider refused costs nothing. One that ended in silence or in the middle costs its prompt and what
   came of the answer: the provider counts that, whether or not it lived to say so.
2. An answer from a cache costs nothing; its usage is that of the call that was stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

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

_NOTHING: Final = Usage()
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
        self._usage: Usage = _NOTHING
        self._characters = 0
        self._content = self._finished = False

    def see(self, batch: Sequence[Event]) -> None:
        """Take the next events."""
        for event in batch:
            kind = type(event)
            if kind is TextDelta or kind is ReasoningDelta:
                self._characters += len(event.text)  # type: ignore[union-attr]  # `kind` says that it has a text
                self._content = True
            elif kind is UsageReport:
                self._usage = event.usage  # type: ignore[union-attr]  # likewise, a usage
            elif kind is Finish:
                self._finished = True
            elif kind is ToolCallDelta:
                self._characters += len(event.arguments)  # type: ignore[union-attr]  # likewise, arguments
                self._content = True
            elif (note := self._notes.get(kind)) is not None:
                note(self, event)
            elif kind in CONTENT:
                self._content = True

    def end(self, error: CallmError | None = None, *, left: bool = False) -> list[tuple[str, Usage]]:
        """Return the usage of all attempts, with the last, which ended well, with `error`, or because the caller left."""
        if self.cached:
            return self.attempts
        if error is None:
            self._close(self.model, self._usage, sent=left or self._finished)
            return self.attempts
        while isinstance(error, AllFailed):  # the others have announced their failure
            error = next(each for each in reversed(error.exceptions) if isinstance(each, CallmError))
        sent = left or self._finished or type(error).__name__ in _PROBABLY_SENT
        self._close(error.model or self.model, self._usage, sent=sent)
        return self.attempts

    def tokens(self, error: CallmError | None = None, *, left: bool = False) -> int:
        """Return the tokens of all attempts together; see `end`."""
        spent = 0
        for _, usage in self.end(error, left=left):
            spent += (usage.input_tokens or 0) + (usage.output_tokens or 0)
        return spent

    def _select(self, event: Selected) -> None:
        self.model = event.model

    def _name(self, event: ResponseHeaders) -> None:
        self.model = event.endpoint or self.model

    def _fail(self, event: AttemptFailed) -> None:
        usage = self._usage if event.usage == _NOTHING else event.usage
        sent = event.error in _PROBABLY_SENT or event.kind == "hedged"
        self._close(event.model or self.model, usage, sent=sent)

    def _continue(self, event: Continued) -> None:
        self._usage, self._finished = event.usage, True
        self._close(self.model, event.usage, sent=True)

    def _hit(self, event: CacheHit) -> None:
        del event
        self.cached = True

    def _close(self, model: str, usage: Usage, *, sent: bool) -> None:
        """Add an attempt, with estimates for what nobody said."""
        prompt, output = usage.input_tokens, usage.output_tokens
        if self._finished and prompt is not None and output is not None:
            self.attempts.append((model, usage))
        elif sent or prompt is not None or output is not None or self._content:
            seen = -(-self._characters // BYTES_PER_TOKEN)
            if output is None or not self._finished:  # in the middle of an answer, its count is behind
                output = max(output or 0, seen)
            if prompt is None:
                prompt = self._input
            self.attempts.append(
                (model, usage + Usage(prompt - (usage.input_tokens or 0), output - (usage.output_tokens or 0)))
            )
        self._usage = _NOTHING
        self._characters = 0
        self._content = self._finished = False

    _notes: ClassVar[dict[type, Callable[[Meter, Any], object]]] = {
        Selected: _select,
        ResponseHeaders: _name,
        AttemptFailed: _fail,
        Continued: _continue,
        CacheHit: _hit,
    }
