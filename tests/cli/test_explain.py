"""`callm explain`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callm.cli import main

TOML = """
default = "safe"
[clients.fast]
model = "openai/gpt-x"
api_key_env = "NO_SUCH_KEY"
breaker = true
[clients.safe]
fallback = ["fast", "anthropic/claude-x"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "callm.toml"
    path.write_text(TOML, "utf-8")
    return path


def test_a_client_of_the_config_is_explained_without_a_key(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "safe", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Fallback\n├─ Retry(")
    assert "openai/gpt-x at https://api.openai.com/v1" in out
    assert "then anthropic/claude-x" in out


def test_without_a_name_it_is_the_default_of_the_nearest_config(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = config.parent / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert main(["explain"]) == 0
    assert capsys.readouterr().out.startswith("Fallback\n")


def test_a_model_needs_no_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "openai/gpt-x", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["plan"][-1].endswith("openai/gpt-x at https://api.openai.com/v1")
    assert plan["errors"]["key refused (401, 403)"] == "raised"


def test_a_name_that_is_nothing_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "fsat", "--config", str(config)]) == 2
    assert "did you mean 'fast'?" in capsys.readouterr().err
