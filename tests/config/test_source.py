"""Where a configuration comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callm.config.source import find, read
from callm.errors import ConfigError

TOML = '[clients.fast]\nmodel = "openai/gpt-x"\n'
TABLES = {"clients": {"fast": {"model": "openai/gpt-x"}}}


def test_a_dictionary_is_taken_as_it_is() -> None:
    assert read(TABLES) == (TABLES, "config")


def test_a_file_is_named_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "callm.toml"
    path.write_text(TOML, "utf-8")
    assert read(path) == (TABLES, str(path))
    assert read(str(path)) == (TABLES, str(path))


def test_of_a_pyproject_only_our_own_table_counts(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n[tool.callm.clients.fast]\nmodel = "openai/gpt-x"\n', "utf-8")
    assert read(path) == (TABLES, f"{path}: tool.callm")


@pytest.mark.parametrize(
    ("data", "message"), [(b"[clients", "is no TOML"), (b"\xff", "is no TOML"), (None, "can't be read")]
)
def test_what_can_not_be_read_is_refused_by_name(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "callm.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_anything_else_is_refused() -> None:
    source: Any = 5
    with pytest.raises(ConfigError, match="not int"):
        read(source)


def test_the_nearest_file_is_found_upwards(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.callm]\ndefault = "x"\n', "utf-8")
    assert find(deep) == tmp_path / "pyproject.toml"
    (tmp_path / "callm.toml").write_text(TOML, "utf-8")
    assert find(deep) == tmp_path / "callm.toml"
    (tmp_path / "a" / "pyproject.toml").write_text('[project]\nname = "x"\n', "utf-8")
    assert find(deep) == tmp_path / "callm.toml"
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.callm\n", "utf-8")
    assert find(deep) == tmp_path / "callm.toml"
