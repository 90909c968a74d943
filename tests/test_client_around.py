"""What a client puts around its models, over real HTTP: fallback, cache, limits, circuits, budgets, names of a config."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import callm.client
from callm.client import Client, default_client
from callm.config.entries import Breaking, RateLimits
from callm.errors import AllFailed, BudgetExceeded, CircuitOpen, ConfigError, QueueTimeout, ServerError
from callm.fronts.function import function
from callm.io.stores import MemoryStore
from callm.middleware.budget import Cap
from callm.policy.backoff import Backoff
from callm.testing import Answer, Fault, FaultServer, ScriptedModel
from callm.types import CallOptions, Finish, Message, Request, Settings, TextDelta, Timeouts
from tests.support import KEY, client_of

AT_ONCE = Backoff(retries=1, initial=0.0)
DOWN = Fault(status=500)


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultServer]:
    with FaultServer(Answer(text="hello")) as server:
        yield server


@pytest.fixture
def server(shared: FaultServer, monkeypatch: pytest.MonkeyPatch) -> FaultServer:
    shared.clear()
    for name, path in (("OPENAI", "/v1"), ("ANTHROPIC", "")):
        monkeypatch.setenv(f"{name}_API_KEY", KEY)
        monkeypatch.setenv(f"{name}_BASE_URL", shared.url + path)
    return shared


def paths(server: FaultServer) -> list[str]:
    return [request.path for request in server.requests]


def test_a_fallback_asks_the_next_provider_in_its_own_format(server: FaultServer) -> None:
    server.plan(DOWN, DOWN)
    with Client("openai/gpt-x", fallback=["anthropic/claude-x"], retries=AT_ONCE) as client:
        response = client.call("hi").result()
    assert (response.text, response.answered_by) == ("hello", "anthropic/claude-x")
    assert [failed.attempt for failed in response.attempts] == [1, 2]
    assert paths(server) == ["/v1/chat/completions", "/v1/chat/completions", "/v1/messages"]


def test_a_fallback_may_be_any_model_and_be_behind_any_model(server: FaultServer) -> None:
    down = ScriptedModel([ServerError("down")], name="own/down")
    good = ScriptedModel([TextDelta("own"), Finish("stop")], name="own/good")
    with Client(down, fallback=[good]) as client:
        assert client.call("hi").result().answered_by == "own/good"
        assert client.model() is client.model()
    with Client(down, fallback=["openai/gpt-x"]) as client:
        assert client.call("hi").result().answered_by == "openai/gpt-x"
    assert len(server.requests) == 1


def test_a_fallback_is_for_the_clients_model_alone(server: FaultServer) -> None:
    server.plan(DOWN)
    with Client("openai/gpt-x", fallback=["anthropic/claude-x"], retries=0) as client, pytest.raises(ServerError):
        client.call(Request((Message.user("hi"),), model="openai/gpt-y")).result()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {"fallback": ["openai/gpt-x"]}, "fallback needs a model"),
        (("openai/gpt-x",), {"fallback": ["nobody/x"]}, "unknown provider"),
        (("openai/gpt-x",), {"fallback": [5]}, "a model must be"),
        (("openai/gpt-x",), {"retries": -1}, "'retries'"),
        (("fast",), {"config": {"clients": {"fast": {"model": "openai/x"}}}, "api_key": "k"}, "belong to one provider"),
        (
            ("fsat",),
            {"config": {"clients": {"fast": {"model": "openai/x"}}}},
            "no client 'fsat': did you mean 'fast'\\?",
        ),
    ],
)
def test_what_can_not_work_is_refused_at_once(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Client(*arguments, **options)


def test_all_failed_has_what_came_of_the_call(server: FaultServer) -> None:
    server.always(DOWN)
    client = Client("openai/gpt-x", fallback=["anthropic/claude-x"], retries=0)
    with client, pytest.raises(AllFailed) as caught:
        client.call("hi").result()
    assert caught.value.response is not None
    assert [failed.model for failed in caught.value.response.attempts] == ["openai/gpt-x"]
    assert [error.model for error in caught.value.exceptions if isinstance(error, ServerError)] == [
        *("openai/gpt-x", "anthropic/claude-x")
    ]


@pytest.mark.parametrize("kind", ["memory", "file", "store"])
def test_an_equal_request_is_answered_from_the_cache(server: FaultServer, kind: str, tmp_path: Path) -> None:
    cache: Any = {"memory": True, "file": tmp_path / "cache" / "answers.db", "store": MemoryStore()}[kind]
    for expected in ([False, True], [True, True] if kind != "memory" else [False, True]):
        with client_of(server, cache=cache) as client:
            assert [client.call("hi").result().cached for _ in range(2)] == expected
            stream = client.stream("hi")
            assert ("".join(stream.text_stream), stream.response.cached) == ("hello", True)
    assert len(server.requests) == (2 if kind == "memory" else 1)


def test_one_call_may_go_past_the_cache(server: FaultServer) -> None:
    with client_of(server, cache=True) as client:
        client.call("hi").result()
        assert not client.call("hi", CallOptions(cache=False)).result().cached
        assert not client.call("hi", CallOptions(cache="refresh")).result().cached
        assert client.call("hi").result().cached
        assert not client.call(Request((Message.user("hi"),), settings=Settings(seed=1))).result().cached
    assert len(server.requests) == 4


def test_a_circuit_is_shared_by_copies_with_the_same_key_and_no_others(server: FaultServer) -> None:
    server.always(DOWN)
    with client_of(server, breaker=Breaking(failures=1)) as client:
        for kind in (ServerError, CircuitOpen):
            with pytest.raises(kind):
                client.call("hi").result()
        with pytest.raises(CircuitOpen):
            client.with_options(settings=Settings(seed=1)).call("hi").result()
        with pytest.raises(ServerError):
            client.with_options(api_key="another-key-0123").call("hi").result()
        assert client.circuits["openai/gpt-x"].state == "open"
        client.circuits["openai/gpt-x"].reset()
        with pytest.raises(ServerError):
            client.call("hi").result()


def test_copies_for_another_model_take_turns_with_each_other_and_ask_once_together(server: FaultServer) -> None:
    turns = {"a": {"model": "openai/a", "cache": True}, "b": {"model": "openai/b", "cache": True}}
    config = {"clients": {"both": {"round_robin": ["a", "b"]}, "mine": {"fallback": ["both"]}, **turns}}

    async def main() -> None:
        async with Client("both", config=config) as client:
            copies = [client, client.with_options(model="both"), client.with_options(model="mine")]
            answers = [await copy.call(f"{number}") for number, copy in enumerate(copies)]
            assert [answer.answered_by for answer in answers] == ["openai/a", "openai/b", "openai/a"]
            server.clear()
            server.always(Fault(delay=0.1))
            same = await asyncio.gather(*(client.with_options(model="a").call("equal") for _ in range(5)))
            assert sorted(answer.cached for answer in same) == [False, True, True, True, True]
            assert len(server.requests) == 1
            server.clear()
            server.always(Fault(delay=0.1))
            other = client.with_options(model="openai/a", api_key="another-key-0123")
            apart = await asyncio.gather(*(each.call("apart") for each in (client.with_options(model="a"), other)))
            assert [answer.cached for answer in apart] == [False, False]  # nor do entries whose limits are not the same

    asyncio.run(main())


def test_a_full_line_is_refused_at_once(server: FaultServer) -> None:
    with client_of(server, rate_limit=RateLimits(requests_per_minute=1, max_wait=1)) as client:
        client.call("hi").result()
        with pytest.raises(QueueTimeout) as caught:
            client.call("hi").result()
        assert list(client.limiters) == ["openai/gpt-x"]
    assert caught.value.retry_after is not None
    assert 50 < caught.value.retry_after <= 60
    assert len(server.requests) == 1


def test_a_budget_is_kept_before_anything_is_sent(server: FaultServer) -> None:
    cap = Cap(tokens=1100)
    with client_of(server, budgets=[cap]) as client:
        client.call("hi").result()
        used = cap.used()
        with pytest.raises(BudgetExceeded):
            client.call("hi" * 1000).result()
    assert 0 < used < 100
    assert len(server.requests) == 1


def test_an_answer_that_was_cut_goes_on(server: FaultServer) -> None:
    server.plan(
        Fault(answer=Answer(text="one two ", finish_reason="length", output_tokens=5)),
        Fault(answer=Answer(text="three", output_tokens=4)),
    )
    with client_of(server, continue_length=2) as client:
        response = client.call("hi").result()
    assert (response.text, response.finish_reason, response.continued) == ("one two three", "stop", 1)
    assert response.usage.output_tokens == 9


CONFIG = {
    "default": "safe",
    "timeouts": {"total": 30},
    "settings": {"seed": 7},
    "clients": {
        "fast": {"model": "openai/gpt-x", "retry": 0, "settings": {"temperature": 0.5}},
        "safe": {"fallback": ["fast", "anthropic/claude-x"]},
    },
}


def test_names_of_a_config_stand_wherever_a_model_does(server: FaultServer) -> None:
    server.plan(DOWN)
    with Client(config=CONFIG) as client:
        assert client.call("hi").result().answered_by == "anthropic/claude-x"
        assert client.call(Request((Message.user("hi"),), model="fast")).result().answered_by == "openai/gpt-x"
        assert client.with_options(model="fast").call("hi").result().answered_by == "openai/gpt-x"
        assert client.call(Request((Message.user("hi"),), model="openai/gpt-y")).result().text == "hello"
    bodies = [request.json for request in server.requests]
    assert (bodies[0]["temperature"], bodies[0]["seed"], bodies[0]["model"]) == (0.5, 7, "gpt-x")


def test_the_time_limits_of_a_config_are_those_of_the_client(server: FaultServer) -> None:
    seen: list[Request] = []
    model = ScriptedModel([TextDelta("x"), Finish("stop")])
    model.requests = seen
    with Client(model, config=CONFIG) as client:
        client.call("hi").result()
    assert seen[0].options.timeouts == Timeouts(total=30)


def test_functions_use_the_config_that_the_environment_names(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "callm.toml"
    path.write_text('[clients.fast]\nmodel = "openai/gpt-x"\n', "utf-8")
    monkeypatch.setenv("CALLM_CONFIG", str(path))
    monkeypatch.setattr(callm.client, "_default", None)

    @function("fast")
    def greet() -> str:
        """Greet."""
        raise NotImplementedError

    assert greet() == "hello"
    default_client().close()
    monkeypatch.setattr(callm.client, "_default", None)


def test_a_plan_needs_no_key_and_sends_nothing(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with Client(config=CONFIG) as client:
        lines, outcomes = client.explain()
    assert lines[0] == "Fallback"
    assert any("openai/gpt-x at" in line for line in lines)
    assert dict(outcomes)["key refused (401, 403)"] == "then anthropic/claude-x; raised"
    assert server.requests == []


def test_the_request_that_would_be_sent_is_that_of_the_first_model_with_its_settings(server: FaultServer) -> None:
    with Client(config=CONFIG) as client:
        body = client.build_request("hi").json
    assert (body["model"], body["temperature"], body["seed"]) == ("gpt-x", 0.5, 7)
    assert server.requests == []


def test_a_key_of_a_config_comes_from_its_variable(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"clients": {"own": {"model": "openai/gpt-x", "api_key_env": "OWN_KEY"}}}
    with Client("own", config=tables) as client:
        with pytest.raises(ConfigError, match=r"config: clients\.own: the variable OWN_KEY holds no key"):
            client.call("hi").result()
        monkeypatch.setenv("OWN_KEY", "own-key-0123456789")
        client.call("hi").result()
    assert server.requests[0].headers["authorization"] == "Bearer own-key-0123456789"


def test_a_client_that_is_closed_elsewhere_says_so_to_a_call_that_was_about_to_be_sent(server: FaultServer) -> None:
    client = client_of(server)
    client.call("hi").result()
    transport: Any = client._endpoints.transports.get(server.url)
    for connections in transport._loops.values():
        connections.session._connector = None  # what closing does, a moment before this call
    with pytest.raises(ConfigError, match="was closed, in another thread"):
        client.call("hi").result()
