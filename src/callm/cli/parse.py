"""`callm parse`: a model's text to a value, and the repairs that it took."""

from __future__ import annotations

import json
from typing import Any, Final

import click
import msgspec

from callm.baml.lower import read_types
from callm.baml.source import Source
from callm.cli.arguments import read_file
from callm.cli.render import pretty
from callm.cli.target import load_type
from callm.parse.output import Output
from callm.parse.policies import FAITHFUL, LENIENT, STRICT, Policy

_POLICIES: Final = {policy.name: policy for policy in (STRICT, FAITHFUL, LENIENT)}


@click.command()
@click.argument("file", default="-")
@click.option("--type", "kind", required=True, metavar="TYPE", help="module:Type, file.py:Type, or with --baml a type.")
@click.option("--baml", metavar="FILE", help="A .baml source that declares the type.")
@click.option("--policy", type=click.Choice(list(_POLICIES)), help="Which repairs are allowed.")
@click.option("--json", "as_json", is_flag=True, help="Print value, repairs and checks as one line of JSON.")
def parse(file: str, kind: str, baml: str | None, policy: str | None, *, as_json: bool) -> None:
    """Read FILE, or stdin, as TYPE. The value goes to stdout, a line for each repair to stderr."""
    output = _output(kind, baml, _POLICIES[policy] if policy else None)
    reading = output.read(read_file(file).decode("utf-8", "replace"))
    if as_json:
        story = {"repairs": reading.repairs, "checks": reading.checks, "candidate": reading.candidate}
        line = {"value": json.loads(pretty(reading.value)), **msgspec.to_builtins(story)}
        click.echo(json.dumps(line, ensure_ascii=False))
        return
    click.echo(pretty(reading.value))
    for repair in reading.repairs:
        click.echo(str(repair), err=True)
    for check in reading.checks:
        click.echo(f"{check.path or 'the value'}: check {check.label} {'holds' if check.passed else 'fails'}", err=True)


def _output(kind: str, baml: str | None, policy: Policy | None) -> Output[Any]:
    if baml is None:
        return Output(load_type(kind), name=kind.rpartition(":")[2], policy=policy or FAITHFUL)
    types = read_types(Source(read_file(baml).decode("utf-8", "replace"), baml))
    return Output(types.schema(kind), policy=policy or LENIENT)
