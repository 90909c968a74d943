import ssl
from pathlib import Path

import pytest
import trustme

from callm.errors import ConfigError
from callm.io.tls import ssl_context
from callm.io.transport_config import TransportConfig
from callm.types import Secret


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    authority = trustme.CA()
    client = authority.issue_cert("client@example.com")
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    client.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    client.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    client.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "none.pem").write_text("nothing")
    return {path.stem: str(path) for path in folder.iterdir()}


def test_equal_settings_share_one_context(files: dict[str, str]) -> None:
    assert ssl_context(TransportConfig()) is ssl_context(TransportConfig(pool_size=7))
    own = ssl_context(TransportConfig(ca_file=files["ca"]))
    assert own is ssl_context(TransportConfig(ca_file=files["ca"]))
    assert own is not ssl_context(TransportConfig())


def test_another_environment_is_another_context(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = ssl_context(TransportConfig())
    monkeypatch.setenv("SSL_CERT_FILE", files["ca"])
    after = ssl_context(TransportConfig())
    assert after is not before
    assert "trustme" in str(after.get_ca_certs())


def test_certificates_are_checked_unless_switched_off_for_this_client() -> None:
    safe, unsafe = ssl_context(TransportConfig()), ssl_context(TransportConfig(insecure_skip_verify=True))
    assert (safe.verify_mode, safe.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (unsafe.verify_mode, unsafe.check_hostname) == (ssl.CERT_NONE, False)


def test_a_context_of_the_users_own_is_used_as_it_is() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert ssl_context(TransportConfig(ssl_context=context)) is context


def test_a_client_certificate_is_loaded_with_its_key(files: dict[str, str]) -> None:
    ssl_context(TransportConfig(client_certificate=files["client"]))
    ssl_context(TransportConfig(client_certificate=files["certificate"], client_key=files["key"]))
    ssl_context(TransportConfig(client_certificate=files["client"], client_key_password=Secret("not needed")))


@pytest.mark.parametrize("name", ["none", "missing"])
def test_a_file_that_holds_no_certificate_is_named(files: dict[str, str], name: str) -> None:
    path = files.get(name, str(Path(files["ca"]).with_name("missing.pem")))
    with pytest.raises(ConfigError, match=f"ca_file '.*{name}.pem' can't be read"):
        ssl_context(TransportConfig(ca_file=path))
    with pytest.raises(ConfigError, match=f"client_certificate '.*{name}.pem' or its key can't be loaded"):
        ssl_context(TransportConfig(client_certificate=path))


def test_a_certificate_without_its_key_is_refused(files: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="or its key can't be loaded"):
        ssl_context(TransportConfig(client_certificate=files["certificate"]))
