"""The surface: names, keys and addresses, options, and what a call gives back."""

import asyncio
import importlib.metadata
import pickle
import re
import warnings
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from callm import Client, ConfigError, Model, Provider, Request, Settings, __version__
from callm.client import default_client
from callm.errors import CallCancelled, CallTimeout, DeadlineExceeded
from callm.io.endpoints import ENTRY_POINTS
from callm.middleware.retry import Retry
from callm.testing import Answer, CannedTransport, Fault, FaultServer, ScriptedModel
from callm.types import (
    CallOptions,
    Cancel,
    Finish,
    Message,
    ResponseHeaders,
    Secret,
    TextDelta,
    Timeouts,
    Usage,
    UsageReport,
)
from callm.wire.codec import Quirks
from callm.wire.providers import PROVIDERS, codec
from tests.support import FORMATS, KEY, client_of

SAID = [[TextDelta("Hello"), UsageReport(Usage(3, 1)), Finish("stop")]]


def ask(text: str, **fields: Any) -> Request:
    return Request((Message.user(text),), **fields)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys must not make a test pass."""
    for row in PROVIDERS.values():
        for name in (*row.key_env, *row.token_env, *row.base_url_env, *row.header_env.values()):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(fault_server: FaultServer) -> Iterator[Client]:
    with client_of(fault_server) as client:
        yield client


@pytest.mark.parametrize("wire", FORMATS)
def test_a_call_tells_what_there_is_to_know(fault_server: FaultServer, wire: str) -> None:
    fault_server.always(Fault(answer=Answer(text="Hi there", input_tokens=7, output_tokens=2)))
    with client_of(fault_server, wire) as client:
        whole = client.call("Hello").result()
        stream = client.stream("Hello")
        events = list(stream)
    for response in (whole, stream.response):
        assert (response.text, response.finish_reason, response.error) == ("Hi there", "stop", None)
        assert (response.usage.input_tokens, response.usage.output_tokens) == (7, 2)
        assert (response.status, response.request_id, response.model) == (200, "req_1", client._model.partition("/")[2])  # type: ignore[union-attr]
        assert 0 < (response.time_to_first_content or 0) <= (response.duration or 0) < 1
        assert response.message == Message.assistant("Hi there")
        assert pickle.loads(pickle.dumps(response)) == response
    assert isinstance(events[0], ResponseHeaders)
    assert isinstance(events[-1], Finish)
    sent = [request.json.get("stream", False) for request in fault_server.requests]
    assert sent == [False, True]


def test_nothing_is_sent_before_the_call_is_run(client: Client, fault_server: FaultServer) -> None:
    with pytest.warns(RuntimeWarning, match="made but never run"):
        client.call("x")
    client.stream("x")
    assert fault_server.connections == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Client("gpt-5"), "write 'provider/model', for example 'openai/gpt-5'"),
        (lambda: Client(""), "has no provider"),
        (lambda: Client("opneai/gpt-5"), "did you mean 'openai'?"),
        (lambda: Client("openai/"), "nothing behind the provider"),
        (lambda: Client(api_key="k"), "write Client('provider/model', api_key=...)"),
        (lambda: Client(base_url="http://x"), "belong to one provider"),
        (lambda: Client(ScriptedModel(), api_key="k"), "belong to one provider"),
        (lambda: Client("openai/x", api_key=""), "api_key is empty"),
        (lambda: Client("openai/x", api_key="  \n"), "api_key is empty"),
        (lambda: Client("openai/x", api_key=Secret("")), "api_key is empty"),
        (lambda: Client("openai/x", api_key=7), "api_key must be a text or a Secret, not int"),  # type: ignore[arg-type]
        (lambda: Client("openai/x", base_url=""), "base_url is empty"),
        (lambda: Client("openai/x", base_url=7), "base_url must be a text, not int"),  # type: ignore[arg-type]
        (lambda: Client(7), "an object with a stream method, not 7"),  # type: ignore[arg-type]
        (lambda: Client(ScriptedModel), "an object with a stream method"),  # type: ignore[arg-type]
        (lambda: Client("openai/x").with_options(model="gpt"), "has no provider"),
        (lambda: Client("openai/x").with_options(api_key=""), "api_key is empty"),
        (lambda: Client().call("x").result(), "no model: write Client('provider/model')"),
        (lambda: list(Client().stream("x").text_stream), "no model"),
        (lambda: Client().call(ask("x", model="gpt-5")).result(), "has no provider"),
        (lambda: Client().call(ask("x", model=7)).result(), "a stream method, not 7"),
        (lambda: Client("openai/x").call(7), "a request must be a Request or a text, not int"),  # type: ignore[arg-type]
        (lambda: Client("openai/x").call([Message.user("x")]), "must be a Request or a text, not list"),  # type: ignore[arg-type]
        (lambda: Client("openai/x").call("x", {"tags": {}}), "must be CallOptions, not dict"),  # type: ignore[arg-type]
        (lambda: Client("openai/x").call("x").result(), "no key for provider 'openai': set OPENAI_API_KEY, or pass"),
        (lambda: list(Client("openai/x").stream("x")), "no key for provider 'openai'"),
        (lambda: Client("anthropic/x").build_request("x"), "set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN, or pass"),
        (lambda: Client("openai/x", api_key=KEY + "\nx").build_request("x"), "line break or NUL"),
        (
            lambda: Client("openai/x", api_key=KEY, base_url="localhost:1").build_request("x"),
            "must begin with https://",
        ),
        (lambda: Client("openai/x", api_key=KEY, base_url="http://a b").build_request("x"), "a space or control"),
        (lambda: Client(ScriptedModel()).build_request("x"), "sends no HTTP request of its own"),
    ],
)
def test_what_can_not_work_is_refused_in_words_before_anything_is_sent(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        make()
    assert KEY not in repr(caught.value)


def test_importing_and_making_a_client_needs_no_key() -> None:
    assert repr(Client("openai/x")) == "Client('openai/x')"
    assert repr(Client()) == "Client()"
    Client("openai/x").check("anthropic/claude")
    assert __version__


@pytest.mark.parametrize(
    ("model", "variable", "header", "value"),
    [
        ("openai/m", "OPENAI_API_KEY", "authorization", "Bearer key-1"),
        ("anthropic/m", "ANTHROPIC_API_KEY", "x-api-key", "key-1"),
        ("anthropic/m", "ANTHROPIC_AUTH_TOKEN", "authorization", "Bearer key-1"),
        ("groq/m", "GROQ_API_KEY", "authorization", "Bearer key-1"),
        ("gemini/m", "GOOGLE_API_KEY", "authorization", "Bearer key-1"),
        ("openai/m", "OPENAI_ORG_ID", "openai-organization", "key-1"),
        ("openai/m", "OPENAI_PROJECT_ID", "openai-project", "key-1"),
    ],
)
def test_the_environment_has_keys(
    monkeypatch: pytest.MonkeyPatch, model: str, variable: str, header: str, value: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv(variable, " key-1\n")
    sent = Client(model).build_request("x").headers[header]
    assert (sent.reveal() if isinstance(sent, Secret) else sent) == value


def test_the_environment_has_addresses_and_an_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://from-environment/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    assert Client("openai/m", api_key="k").build_request("x").url == "http://from-environment/v1/chat/completions"
    given = Client("openai/m", api_key="k", base_url="http://given/v1")
    assert given.build_request("x").url == "http://given/v1/chat/completions"
    with pytest.raises(ConfigError, match="no key for provider 'openai'"):
        Client("openai/m").build_request("x")


@pytest.mark.parametrize("model", ["ollama/llama3:8b", "vllm/org/model", "lmstudio/m", "llamacpp/m"])
def test_a_server_of_ones_own_needs_no_key(model: str) -> None:
    request = Client(model).build_request("x")
    assert "authorization" not in request.headers
    assert request.url.startswith("http://localhost:")
    assert request.json["model"] == model.partition("/")[2]


def _revealed(client: Client, model: str = "") -> str:
    headers = client.build_request(ask("x", model=model)).headers
    return " ".join(value.reveal() if isinstance(value, Secret) else value for value in headers.values())


def test_a_key_and_an_address_never_go_to_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "groq-key")
    client = Client("openai/a", api_key=KEY, base_url="http://mine/v1")
    assert KEY in _revealed(client)
    assert KEY in _revealed(client, "openai:b")
    for other in (client.with_options(model="groq/b"), client):
        assert KEY not in _revealed(other, "groq/b")
        assert "groq-key" in _revealed(other, "groq/b")
        assert other.build_request(ask("x", model="groq/b")).url.startswith("https://api.groq.com")
    with pytest.raises(ConfigError, match="no key for provider 'mistral'"):
        client.build_request(ask("x", model="mistral/b"))
    assert client.with_options(model="openai/b").build_request("x").url == "http://mine/v1/chat/completions"
    back = client.with_options(model="groq/b").with_options(model="openai/a")
    with pytest.raises(ConfigError, match="no key for provider 'openai'"):
        back.build_request("x")
    through = client.with_options(model=ScriptedModel()).with_options(model="openai/a")
    with pytest.raises(ConfigError, match="no key for provider 'openai'"):
        through.build_request("x")


def test_with_options_changes_a_copy() -> None:
    client = Client("openai/a", api_key=KEY, settings=Settings(temperature=0.5, seed=1, extra={"a": 1}))
    tags = CallOptions(tags={"who": "me"})
    changed = client.with_options(model="openai/b", settings=Settings(seed=2, extra={"b": 2}), options=tags)
    body = changed.build_request("x").json
    assert (body["model"], body["temperature"], body["seed"], body["a"], body["b"]) == ("b", 0.5, 2, 1, 2)
    assert client.build_request("x").json == {
        "model": "a",
        "temperature": 0.5,
        "seed": 1,
        "a": 1,
        "messages": [{"role": "user", "content": "x"}],
    }
    assert changed.stream("x").request.options == tags
    assert client.stream("x").request.options == CallOptions()
    own = CallOptions(tags={"who": "you"})
    assert changed.stream("x", own).request.options == own
    assert changed.stream(ask("x", options=own)).request.options == own
    request = changed.build_request(ask("x", settings=Settings(temperature=0.0)))
    assert (request.json["temperature"], request.json["seed"]) == (0.0, 2)


def test_a_copy_shares_the_connections(client: Client, fault_server: FaultServer) -> None:
    client.call("a").result()
    client.with_options(settings=Settings(temperature=0.0)).call("b").result()
    assert fault_server.connections == 1


def test_a_closed_client_says_so(fault_server: FaultServer) -> None:
    used, unused = client_of(fault_server), client_of(fault_server)
    used.call("x").result()
    for client in (used, unused):
        client.close()
        client.close()
        with pytest.raises(ConfigError, match="was closed: make a new one"):
            client.call("x").result()


async def test_a_client_closes_what_it_was_given() -> None:
    transport = CannedTransport()
    async with Client("openai/x", api_key=KEY, transport=transport):
        pass
    assert transport.closed


def test_a_request_names_its_own_model(client: Client, fault_server: FaultServer) -> None:
    client.call(ask("x", model="openai/other/one:v2")).result()
    assert fault_server.requests[0].json["model"] == "other/one:v2"


def test_a_model_object_of_ones_own_is_called() -> None:
    class Echo:
        name = "echo"

        async def stream(self, request: Request) -> Any:
            yield []  # no model should, but one may
            yield [TextDelta(request.messages[-1].text), Finish("stop")]

    model: Model = Echo()
    assert Client(model).call("a").result().text == "a"
    assert Client().call(ask("b", model=model)).result().text == "b"
    assert list(Client(model).stream("c").text_stream) == ["c"]


@pytest.mark.parametrize(
    ("timeouts", "error"), [(Timeouts(total=0.05), DeadlineExceeded), (Timeouts(first_content=0.05), CallTimeout)]
)
def test_the_options_hold_for_a_model_of_ones_own(timeouts: Timeouts, error: type[Exception]) -> None:
    class Silent:
        name = "silent"

        async def stream(self, request: Request) -> Any:
            await asyncio.sleep(60)
            yield [Finish("stop")]

    with pytest.raises(error):
        Client(Silent()).call("x", CallOptions(timeouts=timeouts)).result()
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CallCancelled):
        Client(Silent()).call("x", CallOptions(cancel=cancel)).result()


def test_a_codec_object_of_ones_own_speaks(fault_server: FaultServer) -> None:
    inner = codec("openai_chat")

    class Loud:
        format = "loud"
        decoder = inner.decoder
        frames = inner.frames
        error = inner.error

        def encode(self, request: Request, target: Any) -> Any:
            wire = inner.encode(request, target)
            return msgspec.structs.replace(wire, body=wire.body.upper().replace(b'"MESSAGES"', b'"messages"'))

    row = Provider(name="mine", format=Loud(), base_url=f"{fault_server.url}/v1", key_required=False)
    client = Client("mine/m", providers=[row])
    client.call("quiet").result()
    assert b"QUIET" in fault_server.requests[0].body


def test_a_row_of_ones_own_wins_over_a_known_one(fault_server: FaultServer) -> None:
    row = Provider(
        name="openai",
        format="openai_chat",
        base_url=f"{fault_server.url}/v1",
        key_required=False,
        headers={"x-mine": "1"},
        quirks=Quirks(max_tokens="limit"),
    )
    client = Client("openai/m", providers=[row], settings=Settings(max_tokens=9, headers={"x-more": Secret("2")}))
    client.with_options(model="openai/n").call("x").result()
    received = fault_server.requests[0]
    assert (received.headers["x-mine"], received.headers["x-more"]) == ("1", "2")
    assert received.json["limit"] == 9


def test_an_installed_package_may_bring_providers(monkeypatch: pytest.MonkeyPatch, fault_server: FaultServer) -> None:
    class Point:
        def __init__(self, name: str, found: Any) -> None:
            self.name, self.found = name, found

        def load(self) -> Any:
            if isinstance(self.found, Exception):
                raise self.found
            return self.found

    row = Provider(name="acme", format="openai_chat", base_url=f"{fault_server.url}/v1", key_env=("ACME_KEY",))
    points = [Point("acme", row), Point("other", "no row")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == ENTRY_POINTS else [])
    monkeypatch.setenv("ACME_KEY", "acme-key")
    assert Client("acme/m").call("x").result().text == "x"
    assert fault_server.requests[0].headers["authorization"] == "Bearer acme-key"
    points.append(Point("broken", ImportError("no such module")))
    with pytest.raises(ConfigError, match="provider 'broken' of an installed package can't be loaded: no such module"):
        Client("unknown/m")


def test_functions_without_a_client_share_one() -> None:
    assert default_client() is default_client()


def test_build_request_is_what_is_sent(client: Client, fault_server: FaultServer) -> None:
    for stream in (True, False):
        built = client.build_request(ask("x", stream=stream))
        assert built.json.get("stream", False) is stream
        assert "Bearer ***" in built.curl()
        _ = list(client.stream("x")) if stream else client.call("x").result()
        received = fault_server.requests[-1]
        assert (received.method, received.body) == (built.method, built.body)
        assert received.headers["authorization"] == f"Bearer {KEY}"


def test_a_model_is_made_once() -> None:
    client = Client("openai/x", api_key=KEY)
    assert client.model("openai/y") is client.model("openai/y")
    assert isinstance(client.model(), Retry)
    assert client.model().name == "openai/x"


def test_a_text_or_a_list_makes_a_request() -> None:
    given: Any = "Hello"
    assert Request(given).messages == (Message.user("Hello"),)
