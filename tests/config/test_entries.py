"""What may stand in a configuration, and that every error names the key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.config.entries import Caching, Entry, RateLimits, Spending, load
from callm.errors import ConfigError
from callm.policy.backoff import Backoff
from callm.policy.price import Price
from callm.types import Settings, Timeouts

GOOD: dict[str, Any] = {
    "default": "safe",
    "timeouts": {"total": 9, "connect": False},
    "settings": {"temperature": 0.5},
    "retry_budget": {"ratio": 0.1},
    "prices": {"openai/gpt-x": {"input": 1, "output": 4.5}},
    "budgets": [{"dollars": 5, "period": "day", "tag": "user"}],
    "clients": {
        "fast": {
            "model": "openai/gpt-x",
            "api_key_env": "FAST_KEY",
            "base_url": "https://example.com/v1",
            "retry": {"retries": 3, "initial": 1},
            "rate_limit": {"requests_per_minute": 500, "tokens_per_minute": 200000, "concurrency": 8},
            "breaker": True,
            "cache": {"path": "answers.db", "ttl": 60},
            "hedge": {"after": 2},
            "timeouts": {"first_content": 20, "pool": False},
            "settings": {"max_tokens": 100, "stop": ["END"]},
            "continue_length": 2,
        },
        "safe": {"fallback": ["fast", "anthropic/claude-x"], "check_output": True},
        "spread": {"round_robin": ["fast", "safe"], "weights": [3, 1], "retry": 0},
    },
}


def test_everything_that_may_be_said_is_understood() -> None:
    config = load(GOOD)
    fast = config.clients["fast"]
    assert fast.retry == Backoff(retries=3, initial=1)
    assert fast.rate_limit == RateLimits(requests_per_minute=500, tokens_per_minute=200000, concurrency=8)
    assert (fast.breaker, fast.cache) == (True, Caching(path="answers.db", ttl=60))
    assert config.clients["safe"] == Entry(fallback=("fast", "anthropic/claude-x"), check_output=True)
    assert config.clients["spread"].weights == (3.0, 1.0)
    assert config.timeouts == Timeouts(total=9, connect=None)
    assert config.settings == Settings(temperature=0.5)
    assert config.budgets == (Spending(dollars=5, period="day", tag="user"),)
    assert config.prices == {"openai/gpt-x": Price(input=1.0, output=4.5)}
    assert (config.default, config.name) == ("safe", "config")


def test_nothing_is_a_configuration_too() -> None:
    assert load({}).clients == {}


def one(**entry: Any) -> dict[str, Any]:
    return {"clients": {"a": entry}}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"clint": {}}, "config: unknown key 'clint': did you mean 'clients'?"),
        ({"clients": []}, "config: clients must be a table, not list"),
        ({"clients": {"a/b": {"model": "x/y"}}}, "config: clients.a/b: the name of a client"),
        (one(modle="x/y"), "config: clients.a: unknown key 'modle': did you mean 'model'?"),
        (one(model=5), "config: clients.a.model: Expected str | null, got int"),
        (one(), "config: clients.a needs one of model, fallback and round_robin: it has none"),
        (one(model="x/y", fallback=["b"]), "it has model and fallback"),
        (one(model="x/y", weights=[1]), "config: clients.a: weights and start belong to round_robin"),
        (one(fallback=["x/y"], base_url="u"), "config: clients.a.base_url belongs to each of the models"),
        (one(fallback=["x/y"], breaker=True), "config: clients.a.breaker belongs to each of the models"),
        (
            one(model="x/y", retry={"retrys": 2}),
            "config: clients.a.retry: unknown key 'retrys': did you mean 'retries'?",
        ),
        (one(model="x/y", retry=-1), "config: clients.a.retry: 'retries' must be"),
        (one(model="x/y", retry={"factor": 0}), "'factor' must be 1 or more"),
        (
            one(model="x/y", rate_limit={"tokens_per_minute": "many"}),
            "config: clients.a.rate_limit.tokens_per_minute: Expected float",
        ),
        (
            one(model="x/y", breaker={"failure": 1}),
            "clients.a.breaker: unknown key 'failure': did you mean 'failures'?",
        ),
        (one(model="x/y", settings={"temprature": 1}), "clients.a.settings: unknown key 'temprature': did you mean"),
        (one(model="x/y", settings={"temperature": "hot"}), "clients.a.settings: the setting temperature must be"),
        (one(model="x/y", timeouts={"total": 1}), "clients.a.timeouts: unknown key 'total': known are between_content"),
        (one(model="x/y", timeouts={"connect": -1}), "clients.a.timeouts: timeout 'connect' must be"),
        ({"timeouts": {"totel": 1}}, "config: timeouts: unknown key 'totel': did you mean 'total'?"),
        ({"default": "fsat", **one(model="x/y")}, "config: default: unknown key 'fsat': known are a"),
        ({"prices": {"x/y": {"inputs": 1}}}, "config: prices.'x/y': unknown key 'inputs': did you mean 'input'?"),
        ({"retry_budget": {"ration": 1}}, "config: retry_budget: unknown key 'ration': did you mean 'ratio'?"),
        ({"budgets": [{"dollars": 1, "period": "week"}]}, "config: budgets[0].period: Invalid enum value 'week'"),
        ({"budgets": [{"eur": 1}]}, "config: budgets[0]: unknown key 'eur'"),
    ],
)
def test_every_error_names_the_key_and_what_may_stand_there(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tables)
    assert message in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
)
KEYS = st.sampled_from([*Entry.__struct_fields__, "x"])


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_whatever_stands_there_is_understood_or_refused_with_our_own_error(entry: dict[str, Any]) -> None:
    try:
        load(one(**entry))
    except ConfigError as error:
        assert str(error).startswith("config")  # noqa: PT017
