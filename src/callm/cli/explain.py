"""`callm explain`: what a name stands for, and what would happen on each class of error. Nothing is sent, no key is needed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from callm.client import Client
from callm.config.source import find


@click.command()
@click.argument("name", required=False)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A callm.toml or pyproject.toml; otherwise the nearest, from here upwards.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def explain(name: str | None, config: Path | None, *, as_json: bool) -> None:
    """Show the plan of NAME: a client of the config, or provider/model.

    Without a NAME, the config's default.
    """
    client = Client(config=config or find())
    lines, table = client.explain(name or "")
    if as_json:
        click.echo(json.dumps({"plan": lines, "errors": dict(table)}))
        return
    click.echo(os.linesep.join(lines))
    click.echo()
    width = max(len(words) for words, _ in table)
    for words, steps in table:
        click.echo(f"{words.ljust(width)}  {steps}")
