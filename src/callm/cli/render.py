"""How results reach the reader: lines of JSON, plain text, or a terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from callm.types import Response

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_SEQUENCE: Final = re.compile(  # ECMA-48: control sequences, control strings, other escapes, single control characters
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-Z\\\\`-~]"
    "|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
_BEGUN: Final = re.compile(
    "(?:(?:\x1b\\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*\x1b?|\x1b[ -/]*)\\Z"
)
_LONGEST: Final = 4096  # characters of a sequence that has begun and does not end


class EscapeFilter:
    """Takes terminal escape sequences and control characters out of text that comes in pieces; keeps tab and newline.

    `feed` returns what is safe to print; a sequence that is still open stays inside until it ends.
    """

    def __init__(self) -> None:
        self._open = ""

    def feed(self, text: str) -> str:
        """Return the safe part of what has come."""
        text = self._open + text
        begun = _BEGUN.search(text, max(0, len(text) - _LONGEST))
        self._open = "" if begun is None else begun.group()
        whole = text if begun is None else text[: begun.start()]
        return _SEQUENCE.sub("", whole).replace("\x1b", "")


def clean(text: str) -> str:
    """Return `text` without escape sequences and control characters."""
    return EscapeFilter().feed(text)


class Sink(Protocol):
    """Where a call's answer goes. `wants_partials` tells whether typed values are shown while they grow."""

    wants_partials: bool

    def thought(self, text: str) -> None:
        """Take the next piece of the model's visible thoughts."""
        ...

    def delta(self, text: str) -> None:
        """Take the next piece of the text."""
        ...

    def partial(self, value: Any) -> None:
        """Take the typed value so far."""
        ...

    def end(self, response: Response) -> None:
        """Take the whole answer."""
        ...

    def close(self) -> None:
        """Give the terminal back, after a failed call too."""
        ...


class _Quiet:
    """Takes everything and shows nothing: the sinks below say what they show."""

    wants_partials = False

    def thought(self, text: str) -> None:
        """Show nothing."""

    def delta(self, text: str) -> None:
        """Show nothing."""

    def partial(self, value: Any) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines(_Quiet):
    """A line of JSON for each piece of a stream, or one for a whole answer."""

    def __init__(self, *, stream: bool, typed: bool) -> None:
        self._stream = stream
        self._typed = typed

    def delta(self, text: str) -> None:
        """Write the piece."""
        _write(_line({"content": text, "role": "assistant"}))

    def end(self, response: Response) -> None:
        """Write the whole, unless its pieces were written."""
        if not self._stream:
            value = {"value": json.loads(pretty(response.output))} if self._typed else {}
            _write(_line({**summary(response), **value}))


def summary(response: Response) -> dict[str, Any]:
    """Return what there is to say about a whole answer, as JSON data."""
    line: dict[str, Any] = {"content": response.text, "role": "assistant"}
    if response.refusal:
        line["refusal"] = response.refusal
    if response.tool_calls:
        line["tool_calls"] = [msgspec.to_builtins(call) for call in response.tool_calls]
    usage = {name: count for name, count in msgspec.structs.asdict(response.usage).items() if count is not None}
    return {**line, "finish_reason": response.finish_reason, "model": response.model, "usage": usage}


class Plain(_Quiet):
    """Text as it comes, a typed value as indented JSON when it is whole."""

    def __init__(self, *, typed: bool, terminal: bool) -> None:
        self._typed = typed
        self._clean: Callable[[str], str] = EscapeFilter().feed if terminal else str
        self._written = ""

    def delta(self, text: str) -> None:
        """Write the piece of a text; a value is written when it is whole."""
        if not self._typed:
            self._text(text)

    def end(self, response: Response) -> None:
        """Write the value, or the text if its pieces were not written, and end the line."""
        if self._typed:
            self._text(pretty(response.output))
        elif not self._written:
            self._text(response.text or response.refusal)
        if not self._written.endswith("\n"):
            _write("\n")

    def _text(self, text: str) -> None:
        shown = self._clean(text)
        if shown:
            self._written = shown[-1]
            _write(shown)


class Terminal(Plain):
    """Text on a terminal with rich: the model's thoughts stand before it, dimmed."""

    def __init__(self, console: Console) -> None:
        super().__init__(typed=False, terminal=True)
        self._console = console
        self._thoughts = EscapeFilter()
        self._thinking = False

    def thought(self, text: str) -> None:
        """Write the piece, dimmed."""
        self._thinking = True
        self._console.out(self._thoughts.feed(text), style="dim", end="", highlight=False)

    def delta(self, text: str) -> None:
        """Write the piece, below the thoughts."""
        if self._thinking:
            self._thinking = False
            self._console.out("\n", end="\n")
        super().delta(text)


class Live(_Quiet):
    """A typed value that grows on a terminal, with rich."""

    wants_partials = True

    def __init__(self, console: Console) -> None:
        from rich.live import Live as Screen  # noqa: PLC0415  # an extra, for terminals only

        self._console = console
        self._screen = Screen(console=console, auto_refresh=False, transient=True, vertical_overflow="ellipsis")

    def partial(self, value: Any) -> None:
        """Show the value so far in place of the last."""
        self._screen.start()
        self._screen.update(_highlighted(value), refresh=True)

    def end(self, response: Response) -> None:
        """Show the whole value and leave it there."""
        self.close()
        self._console.print(_highlighted(response.output), soft_wrap=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._screen.stop()


def make_sink(*, as_json: bool, stream: bool, typed: bool) -> Sink:
    """Return where the answer goes: stdout, in the form that was asked for or fits."""
    if as_json:
        return Lines(stream=stream, typed=typed)
    terminal = sys.stdout.isatty()
    console = _console() if terminal and stream else None
    if console is None:
        return Plain(typed=typed, terminal=terminal)
    return Live(console) if typed else Terminal(console)


def _console() -> Console | None:
    try:
        from rich.console import Console  # noqa: PLC0415  # an extra, and 80 ms, for terminals only
    except ImportError:
        return None
    return Console(soft_wrap=True)


def _highlighted(value: Any) -> Text:
    from rich.highlighter import JSONHighlighter  # noqa: PLC0415  # an extra, for terminals only
    from rich.text import Text  # noqa: PLC0415  # likewise

    text = Text(clean(pretty(value)))
    JSONHighlighter().highlight(text)
    return text


def pretty(value: Any) -> str:
    """Return a typed value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2).decode()


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)  # pydantic's
    return str(value) if dump is None else dump(mode="json")


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False) + "\n"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
