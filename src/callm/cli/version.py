"""`callm version`."""

from __future__ import annotations

from importlib import import_module

import click


@click.command()
def version() -> None:
    """Show the version."""
    click.echo(f"callm {import_module('callm').__version__}")
