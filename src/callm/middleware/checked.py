"""Make an answer that is not of the declared type a failed attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callm.parse.finish import check_finish
from callm.types import Response

if TYPE_CHECKING:
    from callm.types import Event, Events, Model, Request


@dataclass(frozen=True, slots=True)
class Checked:
    """Hold an answer that is not streamed back until it has been parsed, so that a fallback can still replace it."""

    inner: Model

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            OutputError: the answer is not of the type that the request declares.
        """
        if request.output is None or request.stream:
            batches = self.inner.stream(request)
            try:
                async for batch in batches:
                    yield batch
            finally:
                await batches.aclose()
            return
        response = Response()
        held: list[list[Event]] = []
        batches = self.inner.stream(request)
        try:
            async for batch in batches:
                response.add(batch)
                held.append(batch)
        finally:
            await batches.aclose()
        check_finish(response)
        request.output.parse(response.text)
        for batch in held:
            yield batch
