"""`callm local install`."""

import pytest

from callm.cli import WRONG, main
from callm.io import local_weights


@pytest.mark.local
def test_installed_weights_are_checked_and_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "install"]) == 0
    assert "is installed and whole" in capsys.readouterr().out


def test_what_is_missing_is_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local_weights, "RUNTIME", "callm_no_such_runtime")
    assert main(["local", "install"]) == WRONG
    errors = capsys.readouterr().err
    assert "pip install 'callm[local]'" in errors
    assert "Traceback" not in errors
