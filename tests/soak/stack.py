"""A client with everything around its models that callm has, twice, and a budget over both."""

from collections.abc import Mapping
from typing import Any

from callm.client import Client
from callm.middleware.budget import Cap
from callm.middleware.cache import Cache
from callm.middleware.limiter import Limiter
from tests.support import busy


def full_stack(url: str, *, cap: Cap | None = None, wait: float = 0.002, **entry: Any) -> Client:
    """Return a client that asks the server at `url` in one format, and then in the other; `entry` changes both entries."""
    both: Mapping[str, Any] = {
        "api_key_env": "SOAK_KEY",
        "settings": {"temperature": 0.5, "max_tokens": 100},
        "timeouts": {"first_content": 1.0, "between_content": 1.0, "connect": 2.0},
        "retry": {"retries": 2, "initial": wait, "maximum": 4 * wait},
        "rate_limit": {"requests_per_minute": 1e6, "tokens_per_minute": 1e9, "concurrency": 64, "max_wait": 30},
        "breaker": {"failures": 200},
        "cache": True,
        "hedge": {"after": 0.5},
        "continue_length": 2,
        **entry,
    }
    clients = {
        "first": {"model": "openai/gpt-x", "base_url": f"{url}/v1", **both},
        "second": {"model": "anthropic/claude-x", "base_url": url, **both},
        "all": {"fallback": ["first", "second"]},
    }
    return Client(config={"default": "all", "clients": clients}, budgets=[cap or Cap(tokens=1e15)])


def held(client: Client) -> dict[str, float]:
    """Return what a client holds, of each kind; all of it must be nothing when no call is under way."""
    found: dict[str, float] = {
        f"{name}: {what}": count for name, limiter in client.limiters.items() for what, count in _of(limiter)
    }
    found["open probes"] = sum(circuit.state == "half_open" for circuit in client.circuits.values())
    found["reserved"] = sum(cap.reserved() for cap in client._builder.caps)
    found["flights"] = sum(len(cache.flights) for cache in _caches(client.model()))
    found["connections"] = busy(client)
    return {what: count for what, count in found.items() if count}


def _of(limiter: Limiter) -> list[tuple[str, int]]:
    return [("under way", limiter.busy), ("in line", limiter.waiting)]


def _caches(model: Any) -> list[Cache]:
    inside = [model.inner] if hasattr(model, "inner") else list(getattr(model, "models", ()))
    found = [model] if isinstance(model, Cache) else []
    return [*found, *(cache for each in inside for cache in _caches(each))]
