"""A stream that steps out of the way."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import Any

import pytest

from callm.middleware.relay import Relay
from callm.testing import ScriptedModel
from callm.types import Event, TextDelta
from tests.middleware.playing import HI

A, B, C = ([TextDelta(name)] for name in "abc")


def relay(model: Any, seen: list[Any]) -> Relay:
    """Return a stream whose generator sees the first batch and then hands the model's on."""

    async def make(itself: Relay) -> Any:
        try:
            async with aclosing(model.stream(HI)) as batches:
                async for batch in batches:
                    seen.append(batch)
                    itself.rest = batches
                    yield batch
        finally:
            seen.append("closed")

    return Relay(make)


def test_what_follows_comes_without_the_generator_which_is_closed_with_the_stream() -> None:
    model, seen = ScriptedModel([A, B, C]), list[Any]()

    async def main() -> list[list[Event]]:
        async with aclosing(relay(model, seen)) as batches:
            return [batch async for batch in batches]

    assert asyncio.run(main()) == [A, B, C]
    assert seen == [A, "closed"]
    assert model.open_streams == 0


@pytest.mark.parametrize("read", [0, 1, 2])
def test_closing_early_closes_the_model_inside(read: int) -> None:
    model, seen = ScriptedModel([A, B, C]), list[Any]()

    async def main() -> None:
        stream = relay(model, seen)
        for _ in range(read):
            await anext(stream)
        await stream.aclose()

    asyncio.run(main())
    assert model.open_streams == 0


def test_a_dropped_stream_is_closed_by_the_loop() -> None:
    model, seen = ScriptedModel([A, B, C]), list[Any]()

    async def main() -> None:
        stream = relay(model, seen)
        await anext(stream)
        await anext(stream)
        del stream
        gc.collect()
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert (model.open_streams, seen[-1]) == (0, "closed")


def test_it_can_be_sent_and_thrown_to_like_a_generator() -> None:
    model, seen = ScriptedModel([A, B, C]), list[Any]()

    async def main() -> None:
        stream = relay(model, seen)
        assert await stream.asend(None) == A
        assert await stream.asend(None) == B
        with pytest.raises(KeyError):
            await stream.athrow(KeyError("x"))

    asyncio.run(main())
    assert (model.open_streams, seen[-1]) == (0, "closed")
