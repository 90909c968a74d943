"""Let an answer that the token limit cut go on.

1. An answer goes on if it ended with `length` and is text and nothing else but reasoning. Of that only the text is sent back.
2. The parts are joined without seam or repetition (`policy/overlap.py`), so what comes out is one answer.
3. The output's type is not enforced while it goes on, where the rest of a document is no document; it is described in words.
4. A part that breaks after content raises: what is out can't be taken back, and beginning anew is for whoever is outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgspec

from callm.errors import CallmError, ConfigError
from callm.policy.overlap import Seam
from callm.types import (
    CONTENT,
    AttemptFailed,
    Continued,
    Finish,
    Message,
    Notice,
    PartAdded,
    Reasoning,
    ReasoningDelta,
    Restarted,
    Text,
    TextDelta,
    Usage,
    UsageReport,
)

if TYPE_CHECKING:
    from callm.types import Event, Events, Model, Request

_GO_ON: Final = (
    "Your answer was cut off by the length limit. Go on exactly where it stopped, with the very next character, be it a "
    "space or the middle of a word. Repeat nothing, and write no preface, no remark and no code fence."
)
_FORM: Final = "For reference, the whole answer, of which you write the rest, has this form:\n{description}"


@dataclass(frozen=True, slots=True)
class Continuation:
    """Ask again for the rest of an answer that the token limit cut. Each time is announced by a `Continued` event.

    Attributes:
        inner: the model.
        times: how often an answer may go on.
        prefill: whether the model goes on from its own last turn; without, it is told to, for providers that refuse such a turn.
    """

    inner: Model
    times: int = 3
    prefill: bool = True

    def __post_init__(self) -> None:
        times: Any = self.times
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise ConfigError(f"'times' of a continuation must be a whole number, 1 or more, not {times!r}")

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`."""
        answer = _Answer(echo=self.prefill)
        asked = request
        for number in count(1):
            try:
                batches = self.inner.stream(asked)
                try:
                    async for batch in batches:
                        if passed := answer.see(batch):
                            yield passed
                finally:
                    await batches.aclose()
            except CallmError as error:
                if rest := answer.rest():
                    yield rest
                if number > 1:
                    error.add_note(self._note(number - 1))
                raise
            if rest := answer.rest():
                yield rest
            if answer.cut is None:
                return
            if number > self.times or not answer.has_grown:
                yield [answer.cut]
                return
            yield [Continued(number, answer.usage)]
            asked = go_on(request, answer.begin_part(), prefill=self.prefill)

    def _note(self, number: int) -> str:
        hint = "; if this provider refuses a last turn of the model's own, use prefill=False" if self.prefill else ""
        return f"this was request {number} for the rest of an answer that the token limit had cut{hint}"


def go_on(request: Request, text: str, *, prefill: bool) -> Request:
    """Return the request for the rest of an answer that so far is `text`."""
    form = ""
    if request.output is not None and not request.described and (description := request.output.describe()):
        form = _FORM.format(description=description)
    begun = request.messages[-1] if request.messages[-1].role == "assistant" else None
    before = request.messages if begun is None else request.messages[:-1]
    said = _said(begun, text)
    if prefill:
        messages = (*before, *([Message.user(form)] if form else []), said)
    else:
        messages = (*before, said, Message.user(f"{form}\n\n{_GO_ON}" if form else _GO_ON))
    options = msgspec.structs.replace(request.options, on_break="raise")
    return msgspec.structs.replace(request, messages=messages, output=None, options=options)


def _said(begun: Message | None, text: str) -> Message:
    """Return the model's turn, joined to the one that the caller had begun for it."""
    if begun is None:
        return Message.assistant(text)
    match begun.parts:
        case (*parts, Text(text=start, extra=extra)) if not extra:
            return msgspec.structs.replace(begun, parts=(*parts, Text(start + text)))
        case parts:
            return msgspec.structs.replace(begun, parts=(*parts, Text(text)))


class _Answer:
    """What has come of an answer, over all its parts.

    Attributes:
        cut: the event that ended the part, if the answer may go on behind it.
        usage: the tokens of the part.
    """

    def __init__(self, *, echo: bool) -> None:
        self.cut: Finish | None = None
        self.usage = Usage()
        self._echo = echo
        self._seam: Seam | None = None  # there is none before the first part
        self._text: list[str] = []
        self._sent = ""
        self._only_text = True
        self._notices: set[str] = set()

    @property
    def has_grown(self) -> bool:
        """Whether the part added anything, or there is no end to asking."""
        return "".join(self._text).rstrip() != self._sent

    def begin_part(self) -> str:
        """Begin another part, and return the text that is to go on."""
        self._seam = Seam("".join(self._text), echo=self._echo)
        self._text = ["".join(self._text)]
        self._sent = self._seam.prefix
        self.cut, self.usage = None, Usage()
        return self._sent

    def see(self, batch: list[Event]) -> list[Event]:
        """Take a batch of the part and return what of it can be passed on."""
        passed: list[Event] = []
        for event in batch:
            if type(event) is TextDelta and self._seam is None:  # most events are text, and most answers whole
                self._text.append(event.text)
                passed.append(event)
            else:
                passed += self._see(event)
        return passed

    def rest(self) -> list[Event]:
        """Return the text that was held back until the end of the part."""
        return self._add("" if self._seam is None else self._seam.close())

    def _see(self, event: Event) -> list[Event]:
        match event:
            case TextDelta(text=text):
                return self._add(text if self._seam is None else self._seam.feed(text))
            case Finish():
                if event.reason == "length" and self._only_text and "".join(self._text).strip():
                    self.cut = event  # held until the part is over: usage may follow it
                    return []
                return [*self.rest(), event]
            case UsageReport(usage=usage):
                self.usage = usage
            case AttemptFailed() | Restarted():
                self._forget()
            case Notice(message=message):
                if message in self._notices:
                    return []
                self._notices.add(message)
            case ReasoningDelta() | PartAdded(part=Reasoning()):
                pass
            case _:
                self._only_text = self._only_text and type(event) not in CONTENT
        return [event]

    def _add(self, text: str) -> list[Event]:
        if not text:
            return []
        self._text.append(text)
        return [TextDelta(text)]

    def _forget(self) -> None:
        """Begin the part again: what a failed attempt has delivered is discarded."""
        self.cut, self.usage, self._only_text = None, Usage(), True
        if self._seam is None:
            self._text.clear()
            self._notices.clear()
        else:
            self.begin_part()
