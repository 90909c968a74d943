"""From `provider/model` to an endpoint. Keys and addresses of the environment are tested with the client, too."""

from __future__ import annotations

import pytest

from callm.errors import ConfigError
from callm.io.endpoints import Endpoints, key_of
from callm.io.transports import Transports
from callm.testing import CannedTransport
from callm.types import Secret
from callm.wire.providers import Provider
from tests.middleware.playing import HI

OWN = Provider(name="own", format="openai_chat", base_url="https://example.com/v1", key_env=("OWN_KEY",))
ELSEWHERE = "https://elsewhere.example/v1"


@pytest.fixture
def endpoints(monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    monkeypatch.setenv("OWN_KEY", "from the environment")
    monkeypatch.setenv("OPENAI_API_KEY", "of openai")
    return Endpoints(Transports(CannedTransport()), (OWN,))


def key(endpoints: Endpoints, name: str, variable: str | None = None) -> str:
    found = endpoints.make(name, variable).target.api_key
    assert found is not None
    return found.reveal()


def test_a_provider_of_ones_own_is_known(endpoints: Endpoints) -> None:
    endpoint = endpoints.make("own/model-1")
    assert (endpoint.name, endpoint.target.base_url) == ("own/model-1", "https://example.com/v1")
    assert endpoints.split("own:m/1") == (OWN, "m/1")


def test_a_given_key_and_address_are_for_one_provider_alone(endpoints: Endpoints) -> None:
    given = endpoints.at("own/m", Secret("given"), ELSEWHERE)
    assert (key(given, "own/m"), key(given, "own/n"), key(given, "openai/m")) == ("given", "given", "of openai")
    assert given.make("own/n").target.base_url == ELSEWHERE
    assert key(endpoints, "own/m") == "from the environment"


def test_they_go_along_while_the_provider_stays(endpoints: Endpoints) -> None:
    given = endpoints.at("own/m", Secret("given"), ELSEWHERE)
    assert key(given.at("own/n", None, None), "own/n") == "given"
    assert key(given.at("openai/m", None, None), "own/n") == "from the environment"
    assert key(given.at("", None, None), "own/n") == "from the environment"
    assert given.at("own/m", Secret("other"), None).make("own/m").target.base_url == ELSEWHERE


def test_an_entry_of_a_config_has_its_own(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITS_KEY", "its")
    given = endpoints.at("own/m", Secret("given"), ELSEWHERE)
    assert key(given, "own/m", "ITS_KEY") == "its"
    target = given.make("own/m", None, "https://its.example/v1").target
    assert target.api_key is not None
    assert (target.base_url, target.api_key.reveal()) == ("https://its.example/v1", "from the environment")


def test_an_outline_needs_no_key_and_sends_nothing(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OWN_KEY")
    outline = endpoints.outline("own/m", "NO_SUCH_KEY")
    assert (outline.name, outline.target.base_url) == ("own/m", "https://example.com/v1")
    with pytest.raises(ConfigError, match="only drawn"):
        outline.stream(HI)


def test_a_provider_that_nobody_knows_is_refused(endpoints: Endpoints) -> None:
    with pytest.raises(ConfigError, match="unknown provider"):
        endpoints.split("nobody/m")


def test_a_variable_must_hold_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", " secret \n")
    assert key_of("A_KEY").reveal() == "secret"
    monkeypatch.setenv("A_KEY", " ")
    with pytest.raises(ConfigError, match="A_KEY holds no key"):
        key_of("A_KEY")
