"""The canary: the key of a client must not be seen anywhere but in the request that is sent."""

import asyncio
import copy
import logging
import pickle
import traceback
from typing import Any

import pytest

from callm.client import Client
from callm.errors import CallmError, ConfigError
from callm.fronts.function import function
from callm.io.aiohttp_transport import AiohttpTransport
from callm.testing import Answer, Fault, FaultServer, RecordingTransport
from callm.types import CallOptions, Collect, Message, Request, Secret, Settings, Timeouts
from tests.support import FORMATS, KEY, client_of

MINE = "hdr-canary-9876543210"
REQUEST = Request((Message.user("x"),), settings=Settings(headers={"helicone-auth": Secret(MINE)}))


def _hidden(*things: Any) -> None:
    for thing in things:
        for text in (repr(thing), str(thing), format(thing)):
            assert "canary" not in text
        try:
            pickled = pickle.dumps(thing)
        except (TypeError, AttributeError, pickle.PicklingError):  # it can't be pickled at all
            continue
        assert b"canary" not in pickled


@pytest.mark.parametrize("wire", FORMATS)
def test_nothing_that_is_shown_shows_a_key(fault_server: FaultServer, wire: str) -> None:
    client = client_of(fault_server, wire)
    built = client.build_request(REQUEST)
    _hidden(client, client.model())
    _hidden(built, built.headers, built.curl(), client.with_options(settings=REQUEST.settings))
    plain = Request((Message.user("x"),), settings=Settings(headers={"Authorization": f"Bearer {MINE}"}))
    _hidden(client.build_request(plain), client.build_request(plain).curl())
    _hidden(client.stream(REQUEST), client.stream(REQUEST).request.settings.headers["helicone-auth"])

    @function(client=client, settings=Settings(headers={"helicone-auth": Secret(MINE)}))
    def ask(text: str) -> str:
        """{{ text }}"""
        ...

    _hidden(ask, ask.request("x"), ask.request("x").curl(), ask.stream("x"), ask.map(["x"]), ask.build("x"))
    assert f"{ask('x')}" == "x"
    received = fault_server.requests[-1].headers
    assert received["helicone-auth"] == MINE
    assert KEY in received.get("authorization", "") + received.get("x-api-key", "")


def test_a_pickled_client_has_lost_its_key_and_says_so(fault_server: FaultServer) -> None:
    client = pickle.loads(pickle.dumps(client_of(fault_server)))
    with pytest.raises(ConfigError, match="key was dropped"):
        client.call("x").result()
    assert client.with_options(api_key=KEY).call("x").result().text == "x"


FAULTS = [
    Fault(),
    Fault(status=401, body=f'{{"error": {{"message": "Incorrect API key provided: {KEY}", "code": "{KEY}"}}}}'),
    Fault(status=500, body=f"<html>you sent Authorization: Bearer {KEY}</html>", content_type="text/html"),
    Fault(body=f"you sent {KEY}"),
    Fault(error={"message": f"bad key {KEY}", "type": "authentication_error"}, error_after=1),
    Fault(at=-1),
    Fault(at=100),
    Fault(delay=9.0),
]


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_response_log_or_traceback_shows_a_key(
    fault_server: FaultServer, wire: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fault_server.always(fault)
    collect = Collect()
    cancelling = CallOptions(collectors=(collect,), timeouts=Timeouts(total=0.1))
    with client_of(fault_server, wire) as client:
        for stream in (False, True):
            try:
                _ = list(client.stream(REQUEST, cancelling)) if stream else client.call(REQUEST, cancelling).result()
            except CallmError as error:
                shown: BaseException | None = error
                while shown is not None:
                    _hidden(shown, vars(shown), *traceback.format_exception(shown))
                    shown = shown.__cause__
                _hidden(error.response, copy.deepcopy(error))
    _hidden(collect.responses, *caplog.messages)
    assert len(collect.responses) == 2


def test_a_recording_holds_no_key(fault_server: FaultServer, tmp_path: Any) -> None:
    path = tmp_path / "calls.jsonl"
    recording = RecordingTransport(AiohttpTransport(), path)
    client = Client("openai/x", api_key=KEY, base_url=f"{fault_server.url}/v1", transport=recording)
    fault_server.plan(Fault(answer=Answer(text=f"your key is {KEY}")))
    assert KEY in client.call(REQUEST).result().text
    client.close()
    assert b"canary" not in path.read_bytes()


def test_asyncio_debug_mode_shows_no_key(fault_server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with client_of(fault_server) as client:
            await asyncio.gather(*(client.call(REQUEST) for _ in range(3)))

    asyncio.run(main(), debug=True)
    _hidden(*caplog.messages)
