"""The typed value while it grows, and the whole one."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from callm.client import Client
from callm.errors import CallCancelled, CallmError, LengthError, OutputError, RateLimitError, TruncatedStream
from callm.fronts.function import Function, function
from callm.fronts.values import ValueStream
from callm.testing import Answer, Fault, FaultServer, ScriptedModel
from callm.types import CallOptions, Cancel, Event, Finish, Message, Request, TextDelta
from tests.support import FORMATS, busy, client_of


@dataclass
class Person:
    name: str
    age: int | None = None
    langs: list[str] | None = None


JSON = '{"name": "Ada Lovelace", "age": 36, "langs": ["en", "fr"]}'
ADA = Person("Ada Lovelace", 36, ["en", "fr"])
ENDLESS = Fault(answer=Answer(text='{"name": "' + "a " * 3000, deltas=1500), pause=0.002)

Describe = Function[[str], Person, Person]


@pytest.fixture
def client(fault_server: FaultServer) -> Iterator[Client]:
    with client_of(fault_server) as client:
        yield client


def _fields(person: Person) -> tuple[str | None, int | None, list[str] | None]:
    """Return what a partial value, which is of a class of its own, has of a person."""
    return person.name, person.age, person.langs


def _describe(client: Client, **options: Any) -> Describe:
    @function(client=client, options=CallOptions(**options))
    def describe(text: str) -> Person:
        """Describe {{ text }}"""
        ...

    return describe


@pytest.mark.parametrize("wire", FORMATS)
def test_the_value_grows_and_then_is_whole(fault_server: FaultServer, wire: str) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=40)))
    describe = _describe(client_of(fault_server, wire))

    async def main() -> tuple[list[Person], Person]:
        async with describe.stream("her") as stream:
            return [partial async for partial in stream], await stream

    with describe.stream("her") as stream:
        partials = list(stream)
    assert stream.result == ADA
    assert (partials, ADA) == asyncio.run(main())
    assert _fields(partials[-1]) == _fields(ADA)
    names = [_fields(partial)[0] or "" for partial in partials]
    assert all(ADA.name.startswith(name) for name in names)
    assert sorted(set(names), key=len) == list(dict.fromkeys(names))
    assert len(set(names)) > 5
    assert {partial.age for partial in partials} == {None, 36}
    assert stream.response.text == JSON
    assert stream.response.finish_reason == "stop"
    assert stream.response.output == ADA
    assert fault_server.requests[0].json["stream"] is True


def test_text_grows_as_text(client: Client) -> None:
    @function(client=client)
    def echo(text: str) -> str:
        """{{ text }}"""
        ...

    assert list(echo.stream("one two three")) == ["one", "one two", "one two three"]


def test_the_result_reads_what_is_left(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=40)))
    describe = _describe(client)
    assert describe.stream("her").result == ADA
    stream = describe.stream("her")
    next(iter(stream))
    assert stream.result == stream.result == ADA
    assert list(stream) == []
    for _ in (inside := describe.stream("her")):
        assert inside.result == ADA
    assert len(fault_server.requests) == 3


async def test_awaiting_reads_what_is_left(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=40)))
    describe = _describe(client)
    assert await describe.stream("her") == ADA
    stream = describe.stream("her")
    await anext(aiter(stream))
    with pytest.raises(RuntimeError, match="has not ended: iterate it to its end, or use `await stream`"):
        _ = stream.result
    assert await stream == await stream == stream.result == ADA
    assert len(fault_server.requests) == 2


def _break(stream: ValueStream[Person]) -> None:
    with stream:
        for _ in stream:
            break


def _close_unread(stream: ValueStream[Person]) -> None:
    stream.close()


def _raise(stream: ValueStream[Person]) -> None:
    with pytest.raises(ZeroDivisionError), stream:
        for _ in stream:
            1 / 0  # noqa: B018


@pytest.mark.parametrize("leave", [_break, _close_unread, _raise])
@pytest.mark.parametrize("deltas", [1, 40])
def test_a_stream_that_was_closed_early_has_no_result_and_says_so(
    client: Client, fault_server: FaultServer, leave: Callable[[ValueStream[Person]], None], deltas: int
) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=deltas)))
    stream = _describe(client).stream("her")
    leave(stream)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed before its end: there is no result"):
            _ = stream.result
    assert len(fault_server.requests) == (leave is not _close_unread)


async def test_the_same_in_async_code(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=1)))
    async with _describe(client).stream("her") as stream:
        async for _ in stream:
            break
    with pytest.raises(RuntimeError, match="closed before its end"):
        await stream


def test_a_null_result_is_a_result() -> None:
    @function(ScriptedModel([TextDelta("null"), Finish("stop")]))
    def maybe(text: str) -> Person | None:
        """{{ text }}"""
        ...

    stream = maybe.stream("x")
    assert list(stream) == []
    assert stream.result is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(answer=Answer(text="no person")), OutputError),
        (Fault(answer=Answer(text=JSON[:30], finish_reason="length")), LengthError),
        (Fault(status=429), RateLimitError),
        (Fault(answer=Answer(text=JSON, deltas=40), at=2000, then="end"), TruncatedStream),
    ],
)
def test_a_failure_is_raised_by_reading_and_by_the_result(
    client: Client, fault_server: FaultServer, fault: Fault, error: type[CallmError]
) -> None:
    fault_server.always(fault)
    describe = _describe(client)
    stream = describe.stream("her")
    with pytest.raises(error) as caught:
        list(stream)
    with pytest.raises(error) as again:
        _ = stream.result
    assert again.value is caught.value is stream.response.error
    with pytest.raises(error):
        _ = describe.stream("her").result

    async def main() -> None:
        stream = describe.stream("her")
        for _ in range(2):
            with pytest.raises(error):
                await stream

    asyncio.run(main())
    assert len(fault_server.requests) == 3


def test_on_partial_sees_every_value_and_its_error_ends_the_call(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=40)))
    told: list[Person] = []
    assert list(_describe(client, on_partial=told.append).stream("her")) == told
    assert _fields(told[-1]) == _fields(ADA)

    def fail(value: object) -> None:
        raise ZeroDivisionError

    fault_server.always(ENDLESS)
    stream = _describe(client, on_partial=fail).stream("her")
    with pytest.raises(ZeroDivisionError):
        list(stream)
    with pytest.raises(RuntimeError, match="closed before its end"):
        _ = stream.result
    fault_server.requests[-1].wait_closed(1.0)
    assert busy(client) == 0


def test_an_error_of_on_partial_at_the_very_end_leaves_no_result(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=1)))

    def fail(value: object) -> None:
        raise ZeroDivisionError

    stream = _describe(client, on_partial=fail).stream("her")
    with pytest.raises(ZeroDivisionError):
        list(stream)
    with pytest.raises(RuntimeError, match="closed before its end"):
        _ = stream.result


@pytest.mark.parametrize("interval", [0.0, 0.05])
@pytest.mark.parametrize("way", ["break", "drop", "cancel"])
async def test_leaving_early_reaches_the_server_at_once(
    client: Client, fault_server: FaultServer, way: str, interval: float
) -> None:
    fault_server.always(ENDLESS)
    cancel = Cancel()
    describe = _describe(client, min_interval=interval, cancel=cancel)
    gc.disable()
    try:
        if way == "break":
            async with describe.stream("her") as stream:
                async for _ in stream:
                    break
        elif way == "drop":
            async for _ in describe.stream("her"):
                break
        else:
            asyncio.get_running_loop().call_later(0.03, cancel.cancel)
            with pytest.raises(CallCancelled):
                await describe.stream("her")
        left = time.monotonic()
        assert await asyncio.to_thread(fault_server.requests[-1].wait_closed, 2.0) - left < 0.1
        await asyncio.sleep(0)
    finally:
        gc.enable()
    assert busy(client) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_leaving_a_sync_stream_early_reaches_the_server_at_once(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(ENDLESS)
    gc.disable()
    try:
        for _ in _describe(client).stream("her"):
            break
        assert fault_server.requests[-1].wait_closed(2.0) - time.monotonic() < 0.1
    finally:
        gc.enable()


def test_values_may_be_spaced_and_the_last_is_never_lost(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text=JSON, deltas=40), pause=0.004))
    told: list[tuple[float, Person]] = []
    describe = _describe(client, min_interval=0.05, on_partial=lambda value: told.append((time.monotonic(), value)))
    stream = describe.stream("her")
    partials = list(stream)
    times = [at for at, _ in told]
    assert partials == [value for _, value in told]
    assert 2 <= len(partials) <= 8
    assert (_fields(partials[-1]), stream.result) == (_fields(ADA), ADA)
    assert all(later - sooner > 0.045 for sooner, later in pairwise(times[:-1]))


@pytest.mark.parametrize("fault", [Fault(answer=Answer(text=JSON, deltas=40), at=2000), Fault(status=500)])
def test_spaced_values_end_in_the_same_errors(client: Client, fault_server: FaultServer, fault: Fault) -> None:
    fault_server.always(fault)
    with pytest.raises(CallmError):
        list(_describe(client, min_interval=0.02).stream("her"))
    assert busy(client) == 0


async def test_cancelling_at_any_step_leaves_nothing(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(ENDLESS)
    for interval in (0.0, 0.003):
        describe = _describe(client, min_interval=interval)
        for steps in range(0, 40, 2):
            task = asyncio.create_task(_read(describe.stream("her")))
            for _ in range(steps):
                await asyncio.sleep(0 if steps < 20 else 0.0005)
            task.cancel()
            if steps % 4:
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
    await asyncio.sleep(0.01)
    assert busy(client) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _read(stream: ValueStream[Person]) -> None:
    async for _ in stream:
        pass


def test_reasoning_is_no_value() -> None:
    seen: list[Event] = []
    model = ScriptedModel([TextDelta("<think>{}</think>"), TextDelta(JSON), Finish("stop")])
    stream = _describe(Client(model), on_tick=seen.extend).stream("her")
    assert stream.result == ADA
    assert model.requests[0] == Request((Message.user("Describe her"),)) or seen
