"""Keys and addresses: given, from the environment, or the provider's own."""

import pytest

from callm.errors import ConfigError
from callm.io.credentials import check_address, check_key, find_target
from callm.types import Secret
from callm.wire.codec import Quirks
from callm.wire.providers import Provider

ROW = Provider(
    name="acme",
    format="openai_chat",
    base_url="https://acme/v1",
    key_env=("ACME_KEY", "ACME_OLD_KEY"),
    token_env=("ACME_TOKEN",),
    base_url_env=("ACME_URL",),
    header_env={"acme-org": "ACME_ORG"},
    headers={"acme-version": "1"},
    quirks=Quirks(auth="x-acme-key"),
)


@pytest.mark.parametrize(
    ("environment", "key", "auth"),
    [
        ({"ACME_KEY": "one"}, "one", "x-acme-key"),
        ({"ACME_OLD_KEY": "two"}, "two", "x-acme-key"),
        ({"ACME_KEY": "one", "ACME_OLD_KEY": "two", "ACME_TOKEN": "three"}, "one", "x-acme-key"),
        ({"ACME_KEY": "", "ACME_TOKEN": " three\n"}, "three", "bearer"),
    ],
)
def test_the_first_variable_that_is_set_wins(monkeypatch, environment, key, auth):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    target = find_target(ROW, "m", None, None)
    assert (target.api_key, target.quirks.auth) == (Secret(key), auth)
    assert (target.model, target.base_url, target.provider) == ("m", "https://acme/v1", "acme")
    assert target.headers == {"acme-version": "1"}


def test_what_is_given_wins_over_the_environment(monkeypatch):
    for name in ("ACME_KEY", "ACME_TOKEN", "ACME_URL", "ACME_ORG"):
        monkeypatch.setenv(name, f"http://{name}/")
    assert find_target(ROW, "m", None, None).base_url == "http://ACME_URL"
    target = find_target(ROW, "m", Secret("mine"), "http://mine/v1/")
    assert (target.api_key, target.base_url, target.quirks.auth) == (Secret("mine"), "http://mine/v1", "x-acme-key")
    assert target.headers == {"acme-version": "1", "acme-org": "http://ACME_ORG/"}


def test_a_missing_key_or_address_names_the_variables():
    with pytest.raises(ConfigError, match="no key for provider 'acme': set ACME_KEY or ACME_OLD_KEY or ACME_TOKEN, or"):
        find_target(ROW, "m", None, None)
    with pytest.raises(ConfigError, match="'x' has no address: pass base_url=, or set X_URL"):
        find_target(Provider(name="x", format="openai_chat", base_url_env=("X_URL",)), "m", None, None)
    with pytest.raises(ConfigError, match=r"'x' has no address: pass base_url=$"):
        find_target(Provider(name="x", format="openai_chat"), "m", None, None)
    with pytest.raises(ConfigError, match=r"no key for provider 'x': pass api_key=$"):
        find_target(Provider(name="x", format="openai_chat", base_url="http://x"), "m", None, None)


def test_a_server_without_keys_needs_none():
    row = Provider(name="x", format="openai_chat", base_url="http://x", key_required=False)
    assert find_target(row, "m", None, None).api_key is None


def test_a_given_key_becomes_a_secret():
    assert check_key(None) is None
    assert check_key(" key\n") == Secret("key")
    assert check_key(Secret("key")) == Secret("key")


@pytest.mark.parametrize(
    ("key", "words"),
    [("", "is empty"), (" \n", "is empty"), (Secret(""), "is empty"), (7, "not int"), (b"x", "not bytes")],
)
def test_a_key_that_is_none_is_refused(key, words):
    with pytest.raises(ConfigError, match=f"api_key .*{words}"):
        check_key(key)


def test_an_address_that_is_none_is_refused():
    assert check_address(None) is None
    assert check_address(" http://x ") == "http://x"
    with pytest.raises(ConfigError, match="base_url is empty"):
        check_address("")
    with pytest.raises(ConfigError, match="base_url must be a text, not int"):
        check_address(7)
