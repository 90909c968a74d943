import base64
import ssl

import pytest

from callm.errors import ConfigError
from callm.io.address import origin, parse, resolve
from callm.io.transport_config import TransportConfig
from callm.types import Secret

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com/v1", "https://api.example.com"),
        ("https://api.example.com:443/v1", "https://api.example.com"),
        ("http://127.0.0.1:8000/v1?x=1", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://bücher.example/", "http://xn--bcher-kva.example"),
    ],
)
def test_an_origin_names_scheme_host_and_unusual_port(url: str, expected: str) -> None:
    assert origin(parse(url)) == expected


@pytest.mark.parametrize(
    "url", ["ftp://host/", "https://", "http://[::1", "https://host:99999/", "https://host:x/", "text"]
)
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no http:// or https:// address"):
        parse(url)


def test_an_encoded_url_is_not_encoded_again() -> None:
    assert str(resolve("http://h/models/a%2Fb:go?x=%2B", TransportConfig()).url) == "http://h/models/a%2Fb:go?x=%2B"


def test_credentials_in_the_url_become_a_header_and_leave_the_url() -> None:
    address = resolve("https://us%40er:p%3Aw@host/v1", TransportConfig())
    assert str(address.url) == "https://host/v1"
    assert address.headers == {"authorization": "Basic " + base64.b64encode(b"us@er:p:w").decode()}
    assert resolve("https://host/", TransportConfig()).headers == {}


def test_tls_is_set_up_for_https_alone() -> None:
    assert resolve("http://host/", TransportConfig()).options == {"ssl": True}
    assert isinstance(resolve("https://host/", TransportConfig()).options["ssl"], ssl.SSLContext)


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "http://host/", ""),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://host/", "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "https://host/", ""),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "https://host/", "http://proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://host/", "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:3128"}, "https://host/", "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:3128", "NO_PROXY": "host"}, "https://host/", ""),
        ({"ALL_PROXY": "http://proxy:3128", "NO_PROXY": "host:8443"}, "https://host:8443/", ""),
        ({"ALL_PROXY": "http://proxy:3128", "NO_PROXY": ".example.com"}, "https://a.example.com/", ""),
        ({"ALL_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, "https://host/", ""),
    ],
)
def test_proxies_of_the_environment(
    environment: dict[str, str], url: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert resolve(url, TransportConfig()).proxy_origin == expected
    assert resolve(url, TransportConfig(trust_env=False)).proxy_origin == ""


def test_a_proxy_in_the_settings_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://environment:1")
    monkeypatch.setenv("NO_PROXY", "*")
    assert resolve("http://host/", TransportConfig(proxy="http://settings:2")).proxy_origin == "http://settings:2"


def test_credentials_of_a_proxy_are_sent_to_it_alone() -> None:
    config = TransportConfig(proxy=Secret("http://me:secret@proxy:3128"))
    header = {"proxy-authorization": "Basic " + base64.b64encode(b"me:secret").decode()}
    plain, tunnelled = resolve("http://host/", config), resolve("https://host/", config)
    assert (plain.headers, plain.options.get("proxy_headers")) == (header, None)
    assert (tunnelled.headers, tunnelled.options.get("proxy_headers")) == ({}, header)
    assert str(plain.options["proxy"]) == "http://proxy:3128"
    assert "secret" not in plain.proxy_origin


@pytest.mark.parametrize("proxy", ["socks5://me:secret@proxy:1080", "http://", "http://me:secret@proxy:99999"])
def test_a_proxy_that_cant_be_used_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError, match="SOCKS proxies are not supported") as caught:
        resolve("http://host/", TransportConfig(proxy=proxy))
    assert "secret" not in str(caught.value)
