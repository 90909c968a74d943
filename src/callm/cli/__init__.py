"""The command line: `callm run`, `explain`, `models`, `parse`, `local`, `version`.

1. A command's module is imported when the command is used: `callm --help` stays quick.
2. Exit codes: 0; 1 the call failed; 2 what was asked for is wrong, and nothing was sent; 130 after Ctrl-C.
3. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any, Final, cast

import click

from callm.errors import CallmError, ConfigError

FAILED: Final = 1
"""The call failed, or something else did."""

WRONG: Final = 2
"""What was asked for can't be done: a bad target, argument, file or setting. Nothing was sent."""

INTERRUPTED: Final = 130
"""Ctrl-C: 128 and the number of the signal, as shells have it."""

NO_READER: Final = 141
"""Whoever read our output has gone, as shells have it."""

_COMMANDS: Final = {
    "explain": "Show what a model's name stands for, and what happens when it fails.",
    "local": "Install and inspect the small model that runs on this machine.",
    "models": "List the providers, their addresses and their keys' variables.",
    "parse": "Read a model's text as a type, and show what was repaired.",
    "run": "Call a model: a function of yours, or a request file.",
    "version": "Show the version.",
}


class _NoReader(click.ClickException):
    exit_code = NO_READER

    def show(self, file: IO[Any] | None = None) -> None:
        # What is left in the buffer must not be written at exit: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        del file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _NoReader(str(error)) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        return cast("click.Command", getattr(import_module(f"callm.cli.{cmd_name}"), cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Call language models like functions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        code: object = cli.main(arguments, prog_name="callm", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the last line of the program: whatever is left becomes an exit code
        return _complain(error)
    return code if isinstance(code, int) else 0


def _complain(error: Exception) -> int:
    if not isinstance(error, CallmError):
        traceback.print_exception(error)  # in the user's own module, or in ours: say where
        return FAILED
    click.echo(f"callm: {error}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"  {note}", err=True)
    return WRONG if isinstance(error, ConfigError) else FAILED
