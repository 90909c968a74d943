from typing import Any, get_args

import msgspec
import pytest

from callm.testing.answers import Answer, Format, error_body, error_frame, frames, ping, script, whole
from callm.types import Message, Request, Response, Usage
from callm.wire.codec import Target
from callm.wire.providers import codec

WIRES = get_args(Format)
REQUEST = {
    "model": "m",
    "messages": [{"role": "user", "content": "Say hi now"}],
    "stream_options": {"include_usage": True},
}
ANSWERS = [
    Answer(),
    Answer(text=""),
    Answer(text="Grüße, schöne  Welt\n", input_tokens=5, output_tokens=7),
    Answer(text="abcdefghij", deltas=4, reasoning="hm", finish_reason="length"),
    Answer(text="", tools=(("get_weather", '{"city": "Oslo"}'), ("get_time", "{}"))),
    Answer(text="x" * 3000, deltas=2000),
]


def _decode(wire: str, body: bytes, *, stream: bool) -> Response:
    target = Target("m", "http://host/v1")
    decoder = codec(wire).decoder(target, stream=stream)
    response = Response()
    response.add(decoder.feed(body))
    response.add(decoder.close())
    return response


def _tools(response: Response) -> list[tuple[str, Any]]:
    return [(call.name, call.parse()) for call in response.tool_calls]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("wire", WIRES)
def test_the_real_codecs_read_the_same_from_a_stream_and_from_a_whole_body(wire: Format, answer: Answer) -> None:
    said = script(answer, REQUEST)
    content, end = frames(wire, said)
    streamed = _decode(wire, b"".join([*content, *end]), stream=True)
    at_once = _decode(wire, whole(wire, said), stream=False)
    for response in (streamed, at_once):
        assert response.text == (answer.text if answer.text is not None else "Say hi now")
        assert response.reasoning == answer.reasoning
        assert _tools(response) == [(name, msgspec.json.decode(arguments)) for name, arguments in answer.tools]
        assert response.finish_reason == (answer.finish_reason or ("tool_calls" if answer.tools else "stop"))
        assert response.usage == Usage(input_tokens=said.usage[0], output_tokens=said.usage[1])
        assert response.model == "m"


@pytest.mark.parametrize("wire", WIRES)
def test_what_the_codecs_send_is_understood(wire: Format) -> None:
    request = Request((Message.system("Be brief."), Message.user("One", " two")))
    body = codec(wire).encode(request, Target("model-1", "http://host/v1")).json
    said = script(Answer(), body)
    assert (said.text, said.model) == ("One two", "model-1")


@pytest.mark.parametrize(
    ("text", "deltas", "pieces"), [("a bc  d ", 0, ["a", " bc", "  d", " "]), ("abcde", 2, ["ab", "cde"])]
)
def test_text_is_cut_by_words_or_into_so_many_pieces(text: str, deltas: int, pieces: list[str]) -> None:
    assert script(Answer(text=text, deltas=deltas), {}).pieces == pieces


@pytest.mark.parametrize(
    "messages", [None, "text", [], [None], [{"content": None}], [{"content": [1, {"text": None}]}]]
)
def test_a_strange_request_has_an_empty_echo(messages: Any) -> None:
    assert script(Answer(), {"messages": messages}).text == ""


def test_usage_is_reported_where_the_stream_was_asked_for_it() -> None:
    content, end = frames("openai_chat", script(Answer(text="x"), {}))
    assert b'"usage":{' not in b"".join([*content, *end])


@pytest.mark.parametrize("wire", WIRES)
def test_errors_are_in_the_providers_form(wire: Format) -> None:
    target = Target("m", "http://host/v1")
    kinds = {status: codec(wire).error(status, {}, error_body(wire, status), target).kind for status in (401, 429, 500)}
    assert kinds == {401: "auth", 429: "rate_limit", 500: "server_error"}
    frame = error_frame(wire, {"type": "overloaded_error", "message": "busy"})
    assert b'"busy"' in frame
    assert frame.endswith(b"\n\n")


@pytest.mark.parametrize("wire", WIRES)
def test_a_ping_says_nothing(wire: Format) -> None:
    content, end = frames(wire, script(Answer(text="hi"), {}))
    pinged = b"".join([content[0], ping(wire), *content[1:], ping(wire), *end])
    assert _decode(wire, pinged, stream=True).text == "hi"
