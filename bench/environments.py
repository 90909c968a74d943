"""The virtual environments of the peers: made with uv under `bench/.venvs`, from `peers.toml`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
VENVS: Final = HERE / ".venvs"
PROJECT: Final = "project"

_VERSIONS: Final = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


_NODE: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])? v[0-9]")


@dataclass(frozen=True, slots=True)
class Installed:
    """A peer that can run.

    Attributes:
        python: the interpreter that has it.
        versions: distribution to version.
    """

    python: Path
    versions: dict[str, str]


@dataclass(slots=True)
class Peers:
    """Who can run, and who can't and why."""

    installed: dict[str, Installed] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def find_uv() -> str:
    """Return the uv to use: `$UV`, on the path, the one that `make setup` installed, or one beside the interpreter.

    Raises:
        RuntimeError: there is none.
    """
    places = (ROOT / ".uv" / "bin" / "uv", Path(sys.executable).parent / "uv")
    found = os.environ.get("UV") or shutil.which("uv") or next((str(uv) for uv in places if uv.exists()), None)
    if found is None:
        raise RuntimeError("uv is not installed: set UV=/path/to/uv, or run `make setup` first")
    return found


def install(names: list[str] | None = None) -> Peers:
    """Make what is missing and return the peers of `peers.toml`, or those called `names`."""
    table = tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))
    peers = Peers()
    for name, row in table["peers"].items():
        if names is not None and name not in names:
            continue
        try:
            python = _environment(row["environment"], table["environments"])
            peers.installed[name] = Installed(python, _versions(python, row["distributions"]))
        except (subprocess.CalledProcessError, RuntimeError) as error:
            peers.missing[name] = _reason(error)
    return peers


def _environment(name: str, requirements: dict[str, list[str]]) -> Path:
    if name == PROJECT:
        return Path(sys.executable)
    wanted = json.dumps(requirements[name])
    folder = VENVS / name
    python, stamp = folder / "bin" / "python", folder / "requirements.json"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        uv = find_uv()
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *requirements[name])
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _versions(python: Path, distributions: list[str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(_run(str(python), "-c", _VERSIONS, *distributions))
    return found


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def _reason(error: Exception) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    lines = str(said).strip().splitlines()
    return lines[-1][:200] if lines else type(error).__name__


def core_distributions() -> int:
    """Return how many distributions an install of callm without extras brings, itself included."""
    return count_distributions(_run(find_uv(), "tree", "--frozen", "--no-dev", "--no-dedupe"))


def count_distributions(tree: str) -> int:
    """Count the names in what `uv tree` prints, without those below an extra."""
    names: set[str] = set()
    skipped: int | None = None  # the depth of the extra we are in
    for line in tree.splitlines():
        found = _NODE.search(line)
        if found is None:
            continue
        depth = found.start()
        if skipped is not None and depth > skipped:
            continue
        skipped = depth if "(extra: " in line else None
        if skipped is None:
            names.add(found.group(1))
    return len(names)
