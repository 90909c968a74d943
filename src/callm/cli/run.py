"""`callm run`: call a model from the shell."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

import click
import msgspec

from callm.cli.arguments import read_arguments, read_file
from callm.cli.render import Sink, make_sink
from callm.cli.target import load
from callm.client import Client
from callm.fronts.request_file import parse_request_file
from callm.parse.output import Output
from callm.prompt.signature import Signature
from callm.types import CallOptions, ReasoningDelta, Request, Response, TextDelta

_COMPLETE: Final = ("stop", "tool_calls")


class _Job(NamedTuple):
    """What is asked, by whom, and the type of the answer; None where it is a request file's, which is text."""

    client: Client
    request: Request
    options: CallOptions | None
    output: Output[Any] | None

    @property
    def typed(self) -> bool:
        """Whether the answer is more than text."""
        return self.output is not None and not self.output.schema.is_text


@click.command()
@click.argument("target", required=False)
@click.option(
    "--arg", "pairs", multiple=True, metavar="NAME=VALUE", help="An argument; NAME=@FILE for a file's contents."
)
@click.option("--input", "input_file", metavar="FILE", help="A JSON file with an object of arguments; - for stdin.")
@click.option("--request-file", metavar="FILE", help="A JSON file with the whole request; - for stdin.")
@click.option("--stream", is_flag=True, help="Show the answer as it is written.")
@click.option("--json", "as_json", is_flag=True, help="Write lines of JSON.")
@click.option("--model", metavar="PROVIDER/MODEL", help="Ask this model instead.")
def run(  # noqa: PLR0913  # click gives each option its own parameter
    target: str | None,
    *,
    pairs: Sequence[str],
    input_file: str | None,
    request_file: str | None,
    stream: bool,
    as_json: bool,
    model: str | None,
) -> None:
    r"""Call a model.

    TARGET is a function decorated with @callm.function: module:function or file.py:function.

    \b
      callm run app.prompts:summarise --arg text=@report.txt --stream
      callm run --request-file request.json

    An argument that is not text is written as JSON, for example --arg limit=5 or --arg 'tags=["a", "b"]'.
    For an image, audio or file write @ and its path, or a URL.
    """
    if request_file is not None:
        if target or pairs or input_file:
            raise click.UsageError("a request file is the whole request: leave out TARGET, --arg and --input")
        job = _from_file(request_file, model)
    elif target is not None:
        job = _from_function(target, pairs, input_file, model)
    else:
        raise click.UsageError("nothing to run: give module:function, file.py:function or --request-file FILE")
    with closing(make_sink(as_json=as_json, stream=stream, typed=job.typed)) as sink:
        response = _stream(job, sink) if stream else job.client.call(job.request, job.options).result()
        sink.end(response)
    _warn(response)


def _from_file(path: str, model: str | None) -> _Job:
    read = parse_request_file(read_file(path), path)
    request = read.request if model is None else msgspec.structs.replace(read.request, model=model)
    return _Job(Client(request.model, base_url=read.api_base), request, None, None)


def _from_function(target: str, pairs: Sequence[str], input_file: str | None, model: str | None) -> _Job:
    function = load(target).with_options(model=model)
    parameters = Signature(function, "-").parameters
    if model is not None:
        function.client.check(model)
    request = function.build(**read_arguments(parameters, pairs, input_file))
    output = request.output
    return _Job(function.client, request, function.options, output if isinstance(output, Output) else None)


def _stream(job: _Job, sink: Sink) -> Response:
    partial = job.output.partial().feed if job.output is not None and sink.wants_partials else None
    with job.client.stream(job.request, job.options) as stream:
        for event in stream:
            if isinstance(event, TextDelta):
                sink.delta(event.text)
                if partial is not None and (value := partial(event.text)) is not None:
                    sink.partial(value)
            elif isinstance(event, ReasoningDelta):
                sink.thought(event.text)
    return stream.response


def _warn(response: Response) -> None:
    """Say on stderr what a reader of the text could not know."""
    for notice in response.notices:
        click.echo(f"callm: {notice}", err=True)
    if response.finish_reason not in _COMPLETE:
        click.echo(f"callm: the answer is not complete: it ended by {response.finish_reason}", err=True)
