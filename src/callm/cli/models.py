"""`callm models`: what can be called, where it is, and whether its key is there. Never the key."""

from __future__ import annotations

import json
import os
from typing import TypedDict
from urllib.parse import urlsplit

import click

from callm.wire.providers import PROVIDERS, Provider


class _Row(TypedDict):
    provider: str
    format: str
    base_url: str
    key_variables: list[str]
    key: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each provider.")
def models(*, as_json: bool) -> None:
    """List the providers, their addresses and their keys' variables.

    A model is written `provider/model`, for example openai/gpt-5-mini.
    """
    rows = [_row(provider) for provider in PROVIDERS.values()]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    table = [("PROVIDER", "FORMAT", "KEY", "KEY VARIABLE", "BASE URL")]
    table += [
        (row["provider"], row["format"], row["key"], " or ".join(row["key_variables"]) or "-", row["base_url"])
        for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _row(provider: Provider) -> _Row:
    is_set = any(os.environ.get(name) for name in provider.key_env)
    return _Row(
        provider=provider.name,
        format=provider.format if isinstance(provider.format, str) else provider.format.format,
        base_url=_base_url(provider),
        key_variables=list(provider.key_env),
        key="set" if is_set else "missing" if provider.key_required else "optional" if provider.key_env else "none",
    )


def _base_url(provider: Provider) -> str:
    """Return the address that calls go to, without a password that may stand in it."""
    given = next((value for name in provider.base_url_env if (value := os.environ.get(name))), None)
    url = given or provider.base_url
    try:
        password = urlsplit(url).netloc.rpartition("@")[0]
    except ValueError:  # not a URL at all; a call will say so
        return url
    return url.replace(f"{password}@", "***@", 1) if password else url
