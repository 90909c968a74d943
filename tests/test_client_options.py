"""What belongs to one call: tags, time limits, cancelling, collectors, callbacks, asking again."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from callm.client import Client
from callm.errors import (
    CallCancelled,
    CallmError,
    CallTimeout,
    DeadlineExceeded,
    LengthError,
    OutputError,
    RateLimitError,
    RefusalError,
)
from callm.parse.output import Output
from callm.testing import Answer, Fault, FaultServer, ScriptedModel
from callm.types import (
    CallOptions,
    Cancel,
    Collect,
    Event,
    Finish,
    Message,
    RefusalDelta,
    Request,
    Response,
    TextDelta,
    Timeouts,
    Usage,
    UsageReport,
)
from tests.support import FORMATS, busy, client_of

GRACE = 0.1
"""How many seconds after its time a limit may strike."""


@pytest.fixture
def client(fault_server: FaultServer) -> Iterator[Client]:
    with client_of(fault_server) as client:
        yield client


def ask(text: str = "x", **fields: Any) -> Request:
    return Request((Message.user(text),), **fields)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "timeouts", "error"),
    [
        (Fault(delay=9.0), Timeouts(total=0.1), DeadlineExceeded),
        (Fault(delay=9.0), Timeouts(first_content=0.1), CallTimeout),
        (Fault(at=0, then="stall", seconds=9.0), Timeouts(first_content=0.1), CallTimeout),
        (Fault(pings=0.01), Timeouts(first_content=0.1), CallTimeout),
        (Fault(pings=0.01), Timeouts(total=0.1), DeadlineExceeded),
    ],
)
def test_silence_ends_in_time(
    fault_server: FaultServer,
    stream: bool,
    fault: Fault,
    timeouts: Timeouts,
    error: type[CallTimeout | DeadlineExceeded],
) -> None:
    client = client_of(fault_server)
    fault_server.always(fault)
    options = CallOptions(timeouts=timeouts)
    started = time.monotonic()
    with pytest.raises(error) as caught:
        _ = list(client.stream("x", options)) if stream else client.call("x", options).result()
    assert 0.09 < time.monotonic() - started < 0.1 + GRACE
    assert vars(caught.value)["seconds"] == 0.1
    fault_server.requests[-1].wait_closed(1.0)
    assert busy(client) == 0


@pytest.mark.parametrize("wire", FORMATS)
def test_silence_between_content_ends_in_time_and_keeps_what_came(fault_server: FaultServer, wire: str) -> None:
    fault_server.always(Fault(answer=Answer(text="one two three four"), at=700, then="stall", seconds=9.0))
    started = time.monotonic()
    with client_of(fault_server, wire) as client, pytest.raises(CallTimeout, match="no more content") as caught:
        list(client.stream("x", CallOptions(timeouts=Timeouts(first_content=9.0, between_content=0.1))))
    assert time.monotonic() - started < 0.1 + 2 * GRACE
    assert caught.value.phase == "between_content"
    assert caught.value.response is not None
    assert caught.value.response.text
    assert "one two three four".startswith(caught.value.response.text)


def test_a_slow_consumer_is_not_a_silent_server(client: Client) -> None:
    options = CallOptions(timeouts=Timeouts(first_content=0.05, between_content=0.05))
    texts = []
    for event in client.stream("one two three", options):
        time.sleep(0.03)
        if isinstance(event, TextDelta):
            texts.append(event.text)
    assert texts == ["one", " two", " three"]


@pytest.mark.parametrize("stream", [False, True])
def test_cancel_ends_a_call_from_another_thread(client: Client, fault_server: FaultServer, stream: bool) -> None:
    fault_server.always(Fault(at=200, then="stall", seconds=9.0))
    cancel, collect = Cancel(), Collect()
    options = CallOptions(cancel=cancel, collectors=(collect,))
    threading.Timer(0.05, cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(CallCancelled) as caught:
        _ = list(client.stream("x", options)) if stream else client.call("x", options).result()
    assert time.monotonic() - started < 0.05 + GRACE
    assert collect.last.error is caught.value
    assert fault_server.requests[0].wait_closed(1.0) - started < 0.05 + 2 * GRACE
    with pytest.raises(CallCancelled):
        client.call("y", options).result()
    assert len(fault_server.requests) == 1


@pytest.mark.parametrize("fault", [Fault(delay=9.0), Fault(answer=Answer(text="w " * 500), size=64, pause=0.002)])
@pytest.mark.parametrize("wire", FORMATS)
async def test_cancelling_at_any_step_once_or_twice_leaves_nothing(
    fault_server: FaultServer, wire: str, fault: Fault
) -> None:
    async with client_of(fault_server, wire) as client:
        for stream in (False, True):
            for steps in range(40):
                for again in (False, True):
                    fault_server.always(fault)
                    task = asyncio.create_task(_read(client, stream=stream))
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    await asyncio.sleep(0.002 if steps > 20 else 0)
                    task.cancel()
                    if again:
                        await asyncio.sleep(0)
                        task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    assert task.cancelled()
        await asyncio.sleep(0.01)
        assert busy(client) == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        fault_server.always(Fault())
        assert (await client.call("still fine")).text == "still fine"
    assert all(request.finished or request.wait_closed(1.0) for request in fault_server.requests)


async def _read(client: Client, *, stream: bool) -> None:
    if not stream:
        await client.call("x")
        return
    async for _ in client.stream("x"):
        pass


@pytest.mark.parametrize("stream", [False, True])
def test_collectors_get_every_call_that_ended(client: Client, fault_server: FaultServer, stream: bool) -> None:
    collect, seen = Collect(), []

    class Mine:
        def collect(self, response: Response, options: CallOptions) -> None:
            seen.append((options.tags["who"], response.status, response.duration is not None))

    options = CallOptions(tags={"who": "me"}, collectors=(collect, Mine()))
    fault_server.plan(
        Fault(), Fault(status=429, headers={"x-ratelimit-remaining-requests": "0"}), Fault(at=-1), Fault(at=-1)
    )
    for error in (nullcontext(), pytest.raises(RateLimitError), pytest.raises(CallmError)):
        with error as caught:
            _ = list(client.stream("x", options)) if stream else client.call("x", options).result()
        if caught is not None:
            assert caught.value.response is collect.last
            assert collect.last.error is caught.value
    assert seen == [("me", 200, True), ("me", 429, True), ("me", None, True)]
    assert collect.responses[0].usage.total_tokens == 2
    assert collect.responses[1].headers["x-ratelimit-remaining-requests"] == "0"


async def test_collectors_get_calls_that_were_left_or_cancelled(client: Client, fault_server: FaultServer) -> None:
    collect = Collect()
    options = CallOptions(collectors=(collect,))
    fault_server.always(Fault(answer=Answer(text="word " * 500), pause=0.002))
    async with client.stream("x", options) as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
    assert collect.last is stream.response
    fault_server.always(Fault(delay=9.0))
    task = asyncio.create_task(client.call("y", options))
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [response.is_done for response in collect.responses] == [False, False]
    assert collect.responses[0].text.startswith("word")
    assert all(response.duration for response in collect.responses)


@pytest.mark.parametrize("stream", [False, True])
def test_on_tick_sees_every_batch_and_may_end_the_call(client: Client, fault_server: FaultServer, stream: bool) -> None:
    ticks: list[Event] = []
    options = CallOptions(on_tick=ticks.extend)
    _ = list(client.stream("a b", options)) if stream else client.call("a b", options).result()
    again = Response()
    again.add(ticks)
    assert (again.text, again.finish_reason, again.status) == ("a b", "stop", 200)

    def fail(events: object) -> None:
        raise ZeroDivisionError

    fault_server.always(Fault(answer=Answer(text="word " * 500), pause=0.002))
    with pytest.raises(ZeroDivisionError):
        list(client.stream("x", CallOptions(on_tick=fail)))
    fault_server.requests[-1].wait_closed(1.0)
    assert busy(client) == 0


def _said(text: str, *tokens: int) -> list[Event]:
    return [TextDelta(text), UsageReport(Usage(*tokens)), Finish("stop")]


def test_an_answer_that_does_not_fit_is_asked_for_again_when_wanted() -> None:
    model = ScriptedModel(_said("no number", 5, 2), _said("17", 9, 1))
    collect = Collect()
    options = CallOptions(retry_output=2, collectors=(collect,))
    response = Client(model).call(ask(output=Output(int)), options).result()
    assert response.output == 17
    assert (response.usage.input_tokens, response.usage.output_tokens) == (14, 3)
    assert [each.usage.input_tokens for each in collect.responses] == [5, 9]  # which sum up to the total
    assert isinstance(collect.responses[0].error, OutputError)
    again = model.requests[1].messages
    assert again[:2] == (*model.requests[0].messages, Message.assistant("no number"))
    assert "That answer could not be used" in again[2].text


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ([TextDelta("1"), Finish("length")], LengthError),
        ([RefusalDelta("No."), Finish("stop")], RefusalError),
        ([TextDelta("No."), Finish("refusal")], RefusalError),
    ],
)
def test_what_asking_again_would_not_mend_is_not_asked_again(said: list[Event], error: type[OutputError]) -> None:
    model = ScriptedModel(said)
    with pytest.raises(error):
        Client(model).call(ask(output=Output(int)), CallOptions(retry_output=3)).result()
    assert len(model.requests) == 1


def test_asking_again_ends_and_keeps_to_the_total_time() -> None:
    model = ScriptedModel(_said("no", 1, 1))
    with pytest.raises(OutputError):
        Client(model).call(ask(output=Output(int)), CallOptions(retry_output=2)).result()
    assert len(model.requests) == 3

    class Slow(ScriptedModel):
        async def stream(self, request: Request) -> Any:
            await asyncio.sleep(0.05)
            async for batch in super().stream(request):
                yield batch

    slow, started = Slow(_said("no", 1, 1)), time.monotonic()
    with pytest.raises(DeadlineExceeded):
        options = CallOptions(retry_output=99, timeouts=Timeouts(total=0.22))
        Client(slow).call(ask(output=Output(int)), options).result()
    assert 0.2 < time.monotonic() - started < 0.22 + GRACE
    assert len(slow.requests) in {3, 4}  # a busy machine is slower


def test_an_empty_answer_is_asked_for_again_without_an_empty_turn() -> None:
    model = ScriptedModel([Finish("stop")], _said("3", 1, 1))
    response = Client(model).call(ask(output=Output(int)), CallOptions(retry_output=1)).result()
    assert response.output == 3
    assert all(message.text for message in model.requests[1].messages)


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(text='{"a": 1', finish_reason="length"), LengthError),
        (Answer(text='{"a": 1}', finish_reason="length"), LengthError),
        (Answer(text="no", finish_reason="content_filter"), CallmError),
        (Answer(text="no json"), OutputError),
        (Answer(text=""), OutputError),
    ],
)
def test_an_answer_that_is_no_answer_is_never_a_value(
    fault_server: FaultServer, wire: str, answer: Answer, error: type[CallmError]
) -> None:
    fault_server.always(Fault(answer=answer))
    request = ask(output=Output(dict[str, int]))
    with client_of(fault_server, wire) as client:
        for stream in (False, True):
            with pytest.raises(error) as caught:
                _ = list(client.stream(request)) if stream else client.call(request).result()
            assert caught.value.response is not None
            assert caught.value.response.output is None
            assert caught.value.response.usage.input_tokens is not None
            assert caught.value.response.text == answer.text


def test_without_a_type_the_finish_reason_is_just_told(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text="cut of", finish_reason="length")))
    assert client.call("x").result().finish_reason == "length"
