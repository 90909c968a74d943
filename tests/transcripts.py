"""Recorded answers of providers: load them, run them through a decoder, compare with the normalized result beside them.

`<case>.{sse,ndjson,hex,body.json}` is the body, `<case>.json` what a codec must make of it. A test is then

    @pytest.mark.parametrize("case", load("openai-chat"), ids=str)
    def test_every_transcript_gives_its_result(case: Case) -> None:
        case.check(*read_case(OpenAIChat(), case, TARGET))
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from callm.errors import APIError, CallmError
from callm.types import Event, Response
from callm.wire.codec import Codec, Decoder, Target

FOLDER = Path(__file__).parent / "wire" / "transcripts"
TRUNCATED = "stream ended before a terminal event"


class Case(msgspec.Struct, frozen=True):
    """One transcript. `expected` is the normalized result without `_meta`."""

    name: str
    body: bytes
    expected: dict[str, Any]
    status: int
    headers: dict[str, str]
    splits: tuple[int, ...]
    stream: bool

    def __str__(self) -> str:
        return self.name

    def check(self, events: Iterable[Event], error: CallmError | None) -> None:
        """Assert that `events` and `error` are what the transcript expects."""
        actual = normalize(events, error)
        assert {key: actual[key] for key in self.expected if key != "extra"} == self.wanted
        extra = self.expected.get("extra") or {}
        known = {key: value for key, value in extra.items() if key in actual["extra"]}
        assert {key: actual["extra"][key] for key in known} == known

    @property
    def wanted(self) -> dict[str, Any]:
        """The expected fields in the form `normalize` gives them."""
        wanted = {key: value for key, value in self.expected.items() if key != "extra"}
        wanted["tool_calls"] = [{**call, "arguments": _json(call["arguments"])} for call in wanted["tool_calls"]]
        return wanted

    @property
    def cuts(self) -> Iterator[tuple[bytes, bytes]]:
        """The body cut in two at every byte."""
        return ((self.body[:at], self.body[at:]) for at in range(len(self.body) + 1))


def load(*folders: str) -> list[Case]:
    """Return the transcripts of `folders` under tests/wire/transcripts, sorted by name."""
    paths = (path for folder in folders for path in sorted((FOLDER / folder).glob("*.json")))
    return [_case(path) for path in paths if not path.name.endswith(".body.json")]


def load_request(name: str) -> dict[str, Any]:
    """Return the request that a provider's own SDK sends: method, path, headers, body."""
    request: dict[str, Any] = json.loads((FOLDER / "requests" / f"{name}.json").read_bytes())
    return request


def read(decoder: Decoder, pieces: Iterable[bytes]) -> tuple[list[Event], CallmError | None]:
    """Feed `pieces`, then the end; return the events and the error that ended them, if one did."""
    events: list[Event] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.close()
    except CallmError as error:
        return events, error
    return events, decoder.error


def read_case(codec: Codec, case: Case, target: Target) -> tuple[list[Event], CallmError | None]:
    """Run the whole transcript through `codec`: as an HTTP error, a stream or a body."""
    if case.status >= 400:
        return [], codec.error(case.status, case.headers, case.body, target)
    return read(codec.decoder(target, stream=case.stream), [case.body])


def fold(events: Iterable[Event]) -> Response:
    """Return the response the events add up to."""
    response = Response()
    response.add(events)
    return response


def normalize(events: Iterable[Event], error: CallmError | None) -> dict[str, Any]:
    """Return what the transcripts' `<case>.json` hold. Tool arguments are parsed, unless they are no JSON."""
    response = fold(events)
    calls = [{"id": call.id, "name": call.name, "arguments": _json(call.arguments)} for call in response.tool_calls]
    return {
        "text": response.text,
        "reasoning": response.reasoning,
        "tool_calls": calls,
        "finish_reason": response.finish_reason,
        "usage": _usage(response),
        "error": _error(error),
        "extra": _extra(response),
    }


def _case(path: Path) -> Case:
    expected = json.loads(path.read_bytes())
    meta = expected.pop("_meta")
    body = (path.parent / meta["file"]).read_bytes()
    if meta["file"].endswith(".hex"):
        body = bytes.fromhex(body.decode())
    return Case(
        name=f"{path.parent.name}/{path.stem}",
        body=body,
        expected=expected,
        status=meta["http_status"],
        headers={"content-type": meta["content_type"], **meta["headers"]},
        splits=tuple(meta["splits"] or ()),
        stream=not meta["file"].endswith(".body.json"),
    )


def _json(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _usage(response: Response) -> dict[str, int | None] | None:
    kinds = ("input", "output", "total", "cache_read", "cache_write", "reasoning")
    usage = {f"{kind}_tokens": getattr(response.usage, f"{kind}_tokens") for kind in kinds}
    return usage if any(value is not None for value in usage.values()) else None


def _error(error: CallmError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "kind": error.kind,
        "message": TRUNCATED if error.kind == "truncated_stream" else error.message,
        "code": error.code if isinstance(error, APIError) else None,
        "retryable": error.retryable,
        "status": getattr(error, "status", None),
    }


def _extra(response: Response) -> dict[str, Any]:
    extra: dict[str, Any] = {"native_finish": response.native_finish_reason, "refusal": response.refusal}
    if response.choices:
        choices = [response, *(choice for _, choice in sorted(response.choices.items()))]
        extra["choices"] = [{"text": choice.text, "finish_reason": choice.finish_reason} for choice in choices]
    filters = response.metadata.get("content_filter_results")
    if isinstance(filters, dict):
        extra["filtered"] = [name for name, result in filters.items() if result.get("filtered")]
    return extra
