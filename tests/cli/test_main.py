"""The command line as a whole: `callm.cli.main`."""

import os
import resource
import subprocess
import sys
from itertools import pairwise

import pytest

from callm.cli import cli, main
from callm.errors import ConfigError, TransportError


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [name for name in ("local", "models", "run", "version") if f"\n  {name} " not in out] == []


@pytest.mark.parametrize("command", ["models", "run", "version"])
def test_every_command_has_help(capsys, command):
    assert main([command, "--help"]) == 0
    assert f"Usage: callm {command}" in capsys.readouterr().out


def test_no_command_is_a_usage_error(capsys):
    assert main([]) == 2
    assert "Usage: callm" in capsys.readouterr().err


def test_a_shell_can_complete_the_commands(monkeypatch, capsys):
    for name, value in {"_CALLM_COMPLETE": "bash_complete", "COMP_WORDS": "callm ", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == [
        "plain,explain",
        "plain,local",
        "plain,models",
        "plain,parse",
        "plain,run",
        "plain,version",
    ]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("no key"), 2, "callm: no key\n  look here\n"),
        (TransportError("no network"), 1, "callm: no network\n  look here\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (ValueError("a bug"), 1, "ValueError: a bug\nlook here\n"),
    ],
)
def test_an_error_becomes_a_message_and_an_exit_code(monkeypatch, capsys, error, code, message):
    def fail(context: object) -> None:
        error.add_note("look here")
        raise error

    monkeypatch.setattr(cli, "invoke", fail)
    assert main(["version"]) == code
    assert capsys.readouterr().err.endswith(message)


def test_help_starts_within_the_promised_time(tmp_path):
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    spent = [_children()]
    for _ in range(6):  # the first one compiles
        subprocess.run([sys.executable, "-m", "callm.cli", "--help"], check=True, capture_output=True, env=environment)
        spent.append(_children())
    assert min(after - before for before, after in pairwise(spent)) < 0.150  # 50 ms on the machine it was written on


def _children() -> float:
    """Return the processor time that child processes have taken: a busy machine stretches the clock's time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_and_version_import_nothing_heavy():
    heavy = ("asyncio", "aiohttp", "pydantic", "rich", "minijinja", "ssl")
    code = "import sys; from callm.cli import main; main(['--help']); main(['version'])"
    code += f"; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
