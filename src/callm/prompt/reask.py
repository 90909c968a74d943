"""What to say to a model whose answer was not of the declared type."""

from __future__ import annotations

import msgspec

from callm.errors import OutputError
from callm.types import Message, Request

_WORDS = (
    "That answer could not be used:\n{problems}\n\n"
    "Answer the request again, in the form it asks for, with the problems mended and nothing else around it."
)
_MOST = 10


def reask(request: Request, text: str, error: OutputError) -> Request:
    """Return the request with the model's answer as its own turn, and its problems as the user's."""
    problems = "\n".join(f"- {problem}" for problem in error.problems[:_MOST]) or f"- {error.message}"
    said = (Message.assistant(text),) if text else ()  # providers refuse an empty turn
    again = Message.user(_WORDS.format(problems=problems))
    return msgspec.structs.replace(request, messages=(*request.messages, *said, again))
