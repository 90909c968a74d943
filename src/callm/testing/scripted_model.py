"""A model that plays what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from callm.errors import CallmError
from callm.types import Event, Events, Request

Step: TypeAlias = Event | Sequence[Event] | CallmError
"""An event, which is a batch of its own; a whole batch; or an error, which ends the attempt."""


class ScriptedModel:
    """Play one attempt a call, the last one again when they are used up.

        model = ScriptedModel([RateLimitError("slow down")], [TextDelta("hi"), Finish("stop")])

    Attributes:
        requests: the requests it was given, oldest first.
        open_streams: how many of its streams were begun and neither ended nor closed.
    """

    def __init__(self, *attempts: Sequence[Step], name: str = "scripted") -> None:
        """Play `attempts`; with none, every answer is empty."""
        self._attempts = attempts
        self._name = name
        self.requests: list[Request] = []
        self.open_streams = 0

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return self._name

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r}, attempts={len(self._attempts)})"

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`."""
        number = min(len(self.requests), len(self._attempts) - 1)
        self.requests.append(request)
        self.open_streams += 1
        try:
            for step in self._attempts[number] if self._attempts else ():
                if isinstance(step, CallmError):
                    raise step.with_traceback(None)
                yield list(step) if isinstance(step, Sequence) else [step]
        finally:
            self.open_streams -= 1
