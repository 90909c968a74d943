"""From `provider/model` to an endpoint. Keys and addresses of the environment are tested with the client."""

from __future__ import annotations

import pytest

from callm.errors import ConfigError
from callm.io.endpoints import Endpoints, key_of
from callm.io.transports import Transports
from callm.testing import CannedTransport
from callm.types import Secret
from callm.wire.providers import Provider

OWN = Provider(name="own", format="openai_chat", base_url="https://example.com/v1", key_env=("OWN_KEY",))


def endpoints() -> Endpoints:
    return Endpoints(Transports(CannedTransport()), (OWN,))


def test_a_provider_of_ones_own_is_known() -> None:
    endpoint = endpoints().make("own/model-1", Secret("k" * 12), None)
    assert (endpoint.name, endpoint.target.base_url) == ("own/model-1", "https://example.com/v1")
    assert endpoints().split("own:m/1") == (OWN, "m/1")


def test_a_key_and_an_address_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_KEY", "from the environment")
    target = endpoints().target("own/m", None, "https://elsewhere.example/v1/")
    assert target.api_key is not None
    assert (target.api_key.reveal(), target.base_url) == ("from the environment", "https://elsewhere.example/v1")
    given = endpoints().target("own/m", Secret("given"), None).api_key
    assert given is not None
    assert given.reveal() == "given"


def test_a_provider_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown provider"):
        endpoints().split("nobody/m")


def test_a_variable_must_hold_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", " secret \n")
    assert key_of("A_KEY").reveal() == "secret"
    monkeypatch.setenv("A_KEY", " ")
    with pytest.raises(ConfigError, match="A_KEY holds no key"):
        key_of("A_KEY")
