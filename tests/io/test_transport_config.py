import ssl
from typing import Any

import pytest

from callm.errors import ConfigError
from callm.io.transport_config import TransportConfig
from callm.types import Secret


def test_the_defaults_are_valid_and_say_nothing() -> None:
    assert repr(TransportConfig()) == "TransportConfig()"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pool_size": 0}, "'pool_size' must be above 0, not 0"),
        ({"idle": -1.0}, "'idle' must be above 0"),
        ({"max_body": 0}, "'max_body' must be above 0"),
        ({"pool_size_per_host": -1}, "'pool_size_per_host' must be 0"),
        ({"client_key": "key.pem"}, "'client_key' needs 'client_certificate'"),
        ({"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "ca_file": "ca.pem"}, "leave out ca_file"),
        (
            {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "insecure_skip_verify": True},
            "insecure_skip_verify",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TransportConfig(**wrong)


def test_a_key_password_does_not_show() -> None:
    assert "hunter2" not in repr(TransportConfig(client_certificate="c.pem", client_key_password=Secret("hunter2")))
