"""`callm local install`."""

import pytest
from click.testing import CliRunner

from callm.cli.local import local
from callm.io import local_weights


@pytest.mark.local
def test_installed_weights_are_checked_and_left_alone() -> None:
    result = CliRunner().invoke(local, ["install"])
    assert result.exit_code == 0
    assert "is installed and whole" in result.output


def test_what_is_missing_is_said_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_weights, "RUNTIME", "callm_no_such_runtime")
    result = CliRunner().invoke(local, ["install"])
    assert result.exit_code == 1
    assert "pip install 'callm[local]'" in result.output
    assert "Traceback" not in result.output
