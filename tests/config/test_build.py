"""From names to trees: what is put around a model, in which order, and what is shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callm.config.build import Builder, caps_of, usual_entry
from callm.config.entries import Caching, Entry, Hedging, load
from callm.errors import ConfigError
from callm.io.stores import open_store
from callm.middleware.budget import Cap
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.middleware.round_robin import RoundRobin
from callm.policy.backoff import Backoff
from callm.policy.retry_budget import RetryBudget
from callm.testing import ScriptedModel
from tests.middleware.playing import HELLO, play


def build(tables: Any, name: str, usual: Entry | None = None) -> Any:
    return builder(tables, usual).build(name)


def builder(tables: Any, usual: Entry | None = None) -> Builder:
    def endpoint(name: str, variable: str | None, base_url: str | None) -> Any:
        del variable, base_url
        return ScriptedModel(HELLO, name=name)

    def store(path: str) -> Any:
        return open_store(None, path)

    return Builder(load(tables), usual or Entry(), endpoint, store, RetryBudget())


def layers(model: Any) -> list[str]:
    """Return the names of what is around the first endpoint, from the outside in."""
    found = [type(model).__name__]
    inner = getattr(model, "inner", None) or next(iter(getattr(model, "models", ())), None)
    return found if inner is None else [*found, *layers(inner)]


ALL = {
    "model": "openai/gpt-x",
    "settings": {"temperature": 0.5},
    "continue_length": 2,
    "cache": True,
    "hedge": {"after": 1.5},
    "rate_limit": {"requests_per_minute": 60},
    "breaker": {"failures": 3},
}


def test_everything_has_its_place() -> None:
    model = build({"clients": {"a": ALL}}, "a")
    assert layers(model) == [
        *("Preset", "Continuation", "Retry", "Cache", "Hedge", "RateLimit", "Breaker", "Timeout", "ScriptedModel")
    ]
    assert play(model).response.text == "hello"


def test_a_model_that_is_named_has_retries_and_limits_on_silence() -> None:
    assert layers(build({}, "openai/gpt-x")) == ["Retry", "Timeout", "ScriptedModel"]
    assert build({}, "openai/gpt-x").backoff == Backoff()


def test_what_is_usual_holds_for_models_that_are_named_and_its_retries_for_all() -> None:
    usual = usual_entry(4, None, True, False, False, 0)
    assert layers(build({}, "openai/gpt-x", usual)) == ["Retry", "Breaker", "Timeout", "ScriptedModel"]
    named = build({"clients": {"a": {"model": "openai/gpt-x"}}}, "a", usual)
    assert (layers(named), named.backoff.retries) == (["Retry", "Timeout", "ScriptedModel"], 4)
    own = build({"clients": {"a": {"model": "openai/gpt-x", "retry": 1}}}, "a", usual)
    assert own.backoff.retries == 1


def test_strategies_are_over_names_and_nest() -> None:
    tables = {
        "clients": {
            "fast": {"model": "openai/gpt-x"},
            "spread": {"round_robin": ["fast", "openai/gpt-y"], "weights": [3, 1]},
            "safe": {"fallback": ["spread", "anthropic/claude-x"], "check_output": True, "retry": 1},
        }
    }
    model = build(tables, "safe")
    assert layers(model)[:4] == ["Retry", "Fallback", "Checked", "RoundRobin"]
    assert isinstance(model.inner, Fallback)
    assert [child.name for child in model.inner.models] == ["openai/gpt-x / openai/gpt-y", "anthropic/claude-x"]
    answers = [play(model).response.answered_by for _ in range(4)]
    assert answers == ["openai/gpt-x", "openai/gpt-x", "openai/gpt-y", "openai/gpt-x"]


@pytest.mark.parametrize(
    ("tables", "name", "message"),
    [
        ({"clients": {"a": {"fallback": ["b"]}, "b": {"fallback": ["a"]}}}, "a", "in a circle: a -> b -> a"),
        ({"clients": {"fast": {"model": "x/y"}}}, "fsat", "config: no client 'fsat'"),
        ({"clients": {"a": {"fallback": ["gone"]}}}, "a", "config: no client 'gone'"),
        ({"clients": {"a": {"round_robin": ["x/y"], "weights": [1, 2]}}}, "a", "config: clients.a: a round-robin of 1"),
    ],
)
def test_what_can_not_be_built_is_refused_by_name(tables: Any, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(tables, name)


def test_there_is_one_layer_of_retries() -> None:
    tables: dict[str, Any] = {
        "clients": {
            "fast": {"model": "openai/gpt-x"},
            "spread": {"round_robin": ["fast", "openai/gpt-y"]},
            "safe": {"fallback": ["spread", "fast"], "retry": 2},
        }
    }
    assert layers(build(tables, "safe")) == ["Retry", "Fallback", "RoundRobin", "Timeout", "ScriptedModel"]
    assert layers(build(tables, "spread")) == ["RoundRobin", "Retry", "Timeout", "ScriptedModel"]
    tables["clients"]["fast"]["retry"] = 3
    with pytest.raises(ConfigError, match=r"clients\.fast\.retry: spread is over it and retries already"):
        build(tables, "safe")
    tables["clients"]["fast"]["retry"] = 0
    assert layers(build(tables, "safe")).count("Retry") == 1


def test_two_trees_of_one_name_share_circuit_limiter_and_store() -> None:
    maker = builder({"clients": {"a": ALL, "b": {"fallback": ["a"]}}})
    maker.build("a")
    circuit, limiter = maker.circuits["a"], maker.limiters["a"]
    maker.build("b")
    assert (maker.circuits["a"], maker.limiters["a"], len(maker.circuits)) == (circuit, limiter, 1)
    assert circuit.state == "closed"


def test_a_copy_may_have_circuits_of_its_own() -> None:
    maker = builder({"clients": {"a": ALL}})
    maker.build("a")
    assert maker.at(maker.endpoint, apart=False).circuits is maker.circuits
    assert maker.at(maker.endpoint, apart=True).circuits == {}


@pytest.mark.parametrize(
    ("cache", "expected"),
    [
        (False, False),
        (True, True),
        ("answers.db", Caching(path="answers.db")),
        (Path("answers.db"), Caching(path="answers.db")),
        (Caching(ttl=5), Caching(ttl=5)),
        (open_store(None, ""), Caching()),
    ],
    ids=repr,
)
def test_a_cache_may_be_said_in_many_ways(cache: Any, expected: bool | Caching) -> None:
    assert usual_entry(2, None, False, cache, False, 0).cache == expected


def test_a_hedge_may_be_a_number_of_seconds() -> None:
    assert usual_entry(2, None, False, False, 1.5, 0).hedge == Hedging(after=1.5)
    assert usual_entry(2, None, False, False, True, 0).hedge is True


def test_budgets_are_around_everything() -> None:
    cap = Cap(tokens=100_000)
    maker = builder({})
    assert layers(maker.around(maker.build("openai/gpt-x")))[0] == "Retry"
    capped = Builder(maker.config, maker.usual, maker.endpoint, maker.store, maker.retry_budget, (cap,))
    model = capped.around(capped.build("openai/gpt-x"))
    assert layers(model)[0] == "Budget"
    assert play(model).response.text == "hello"
    assert cap.used() == 4


def test_budgets_of_a_config_are_refused_by_name() -> None:
    assert caps_of(load({"budgets": [{"tokens": 5, "period": "day"}]}))[0].tokens == 5
    with pytest.raises(ConfigError, match=r"config: budgets\[1\]: "):
        caps_of(load({"budgets": [{"tokens": 5}, {"period": "day"}]}))


def test_types() -> None:
    assert isinstance(build({}, "openai/gpt-x"), Retry)
    tables = {"clients": {"a": {"round_robin": ["x/y"]}}}
    assert isinstance(build(tables, "a"), RoundRobin)
