"""Where a configuration comes from: a dictionary, `callm.toml`, or `[tool.callm]` of a `pyproject.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from callm.errors import ConfigError, describe_type

Source: TypeAlias = "str | Path | Mapping[str, Any]"
"""The path of a TOML file, or what would stand in one."""

FILE: Final = "callm.toml"
_PROJECT: Final = "pyproject.toml"


def read(source: Source) -> tuple[Mapping[str, Any], str]:
    """Return the tables of `source`, and how messages name it.

    Raises:
        ConfigError: there is no such file, or it is no TOML.
    """
    if isinstance(source, Mapping):
        return source, "config"
    given: Any = source
    if not isinstance(given, str | Path):
        raise ConfigError(f"a config must be a dictionary or the path of a TOML file, not {describe_type(given)}")
    path = Path(given)
    import tomllib  # noqa: PLC0415  # 2 ms, for those who have a file

    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"the config {path} can't be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the config {path} is no TOML: {error}") from error
    if path.name != _PROJECT:
        return tables, str(path)
    return _own(tables), f"{path}: tool.callm"


def find(folder: Path | None = None) -> Path | None:
    """Return the config file nearest to `folder` (the working directory), upwards: `callm.toml` before `pyproject.toml`."""
    start = (folder or Path.cwd()).resolve()
    for place in (start, *start.parents):
        if (place / FILE).is_file():
            return place / FILE
        project = place / _PROJECT
        if project.is_file() and _has_own(project):
            return project
    return None


def _own(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    tool = tables.get("tool")
    own: Any = cast("dict[str, Any]", tool).get("callm") if isinstance(tool, dict) else None
    return cast("dict[str, Any]", own) if isinstance(own, dict) else {}


def _has_own(project: Path) -> bool:
    import tomllib  # noqa: PLC0415  # likewise

    try:
        return bool(_own(tomllib.loads(project.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False  # somebody else's broken file
