"""What every codec makes and is made of: requests that can be sent, and decoders that lose no event."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
import pytest

from callm.errors import APIError, ConfigError, ProtocolError, TruncatedStream
from callm.types import Event, Finish, Secret, TextDelta
from callm.wire.codec import HTTPRequest, Quirks, StreamDecoder, Target, truncated

KEY = Secret("sk-canary")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "https://h/v1?api-version=1", "local:/v1/messages"])
def test_an_address_that_can_be_called_is_taken(url: str) -> None:
    assert HTTPRequest(url, {}).url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("api.openai.com/v1", "must begin with https:// or http://, not 'api.openai.com/v1'"),
        ("", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("x" * 500, "must begin with"),
        ("https://h/v1/models/a b", "space or control character"),
        ("https://h/v1\r\nx: y", "space or control character"),
        ("https://h/\0", "space or control character"),
    ],
)
def test_an_address_that_can_not_be_called_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        HTTPRequest(url, {})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "é", "x" * 300 + "\n", 5, None])
def test_a_header_name_that_http_does_not_know_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="can't be the name of an HTTP header") as caught:
        HTTPRequest("https://h", {name: "x"})
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0b", Secret("sk-canary\nx: y"), Secret("a", "b\r")])
def test_a_header_value_can_not_begin_another_header(value: str | Secret) -> None:
    with pytest.raises(ConfigError, match="header 'x-a' has a line break or NUL in it") as caught:
        HTTPRequest("https://h", {"x-a": value})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("value", [5, None, b"x", ["x"]])
def test_a_header_value_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(
        ConfigError, match=f"header 'x-a' must be a text, not {'null' if value is None else type(value).__name__}"
    ):
        HTTPRequest("https://h", {"x-a": value})


def test_a_header_value_that_only_equals_a_text_is_refused() -> None:
    class Like:
        def __eq__(self, other: object) -> bool:
            return other == "a value"

        def __hash__(self) -> int:
            return hash("a value")

    HTTPRequest("https://x", {"x-a": "a value"})
    with pytest.raises(ConfigError, match="must be a text, not Like"):
        HTTPRequest("https://x", {"x-a": Like()})  # type: ignore[dict-item]  # that is the point


def test_a_key_that_pickle_dropped_is_missed_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="dropped when its holder was pickled"):
        HTTPRequest("https://h", {"authorization": Secret(None)})


def test_the_body_can_be_read_as_data() -> None:
    assert HTTPRequest("https://h", {}, b'{"a": [1, null]}').json == {"a": [1, None]}


def test_curl_is_one_command_that_a_shell_splits_back_with_the_keys_masked() -> None:
    body = '{"text": "it\'s $HOME `id` \\" é\n"}'.encode()
    headers: dict[str, str | Secret] = {
        "authorization": KEY.prefixed("Bearer "),
        "x-api-key": KEY,
        "x-a": "'; rm -rf ~",
    }
    command = HTTPRequest("https://h/v1?a=1&b=2", headers, body).curl()
    assert "canary" not in command
    assert shlex.split(command) == [
        *("curl", "-X", "POST", "https://h/v1?a=1&b=2"),
        *("-H", "authorization: Bearer ***", "-H", "x-api-key: ***", "-H", "x-a: '; rm -rf ~"),
        *("--data-raw", body.decode()),
    ]


def test_curl_of_a_request_without_a_body_has_none() -> None:
    assert HTTPRequest("https://h", {}, method="GET").curl() == "curl -X GET https://h"


def test_a_target_shows_no_key() -> None:
    target = Target("m", "https://h", KEY, headers={"x": KEY}, quirks=Quirks(auth="x-api-key"))
    assert "canary" not in repr(target)
    assert msgspec.structs.replace(target, model="n").api_key == KEY


class Lines:
    """A framing: a frame is a line."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[str]:
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [line.decode() for line in lines]

    def close(self) -> list[str]:
        return [self.rest.decode()] if self.rest else []


class Words:
    """A format: a frame is a word; `end` is the marker, and a word in capitals an error."""

    def __init__(self) -> None:
        self.is_done = False
        self.seen: list[str] = []

    def add(self, frame: str, out: list[Event]) -> None:
        self.seen.append(frame)
        if frame.isupper():
            raise APIError(frame)
        if frame == "end":
            self.is_done = True
            out.append(Finish("stop"))
        elif frame:
            out.append(TextDelta(frame))

    def close(self, out: list[Event]) -> None:
        if self.seen[-1:] != ["late"]:
            raise truncated("words", "end")
        out.append(Finish("other"))
        self.is_done = True


def decoder() -> StreamDecoder[str]:
    return StreamDecoder(Lines(), Words())


def test_events_come_as_their_bytes_do_and_the_marker_ends_them() -> None:
    words = decoder()
    assert words.feed(b"a\nb") == [TextDelta("a")]
    assert words.feed(b"") == words.feed(b"c") == []
    before = words.is_done
    assert words.feed(b"\nend\nd\nOOPS\n") == [TextDelta("bc"), Finish("stop")]
    assert (before, words.is_done) == (False, True)
    assert words.feed(b"OOPS\n") == words.close() == []
    assert words.error is None


def test_an_error_behind_good_events_is_kept_for_the_next_call() -> None:
    words = decoder()
    assert words.feed(b"a\nOOPS\nb\nend\n") == [TextDelta("a")]
    assert isinstance(words.error, APIError)
    assert not words.is_done
    for call in (lambda: words.feed(b"c\n"), words.close):
        with pytest.raises(APIError, match="OOPS"):
            call()


def test_an_error_before_any_event_is_raised_at_once_and_again() -> None:
    words = decoder()
    for _ in range(2):
        with pytest.raises(APIError, match="OOPS"):
            words.feed(b"OOPS\na\n")
    assert isinstance(words.error, APIError)


def test_the_end_completes_frames_and_what_only_the_end_makes_certain() -> None:
    words = decoder()
    assert words.feed(b"a\nlate") == [TextDelta("a")]
    assert words.close() == [TextDelta("late"), Finish("other")]
    assert words.is_done
    marked = decoder()
    assert marked.feed(b"end") == []
    assert marked.close() == [Finish("stop")]


def test_an_end_without_the_marker_is_truncated_behind_what_it_completes() -> None:
    words = decoder()
    words.feed(b"a")
    assert words.close() == [TextDelta("a")]
    with pytest.raises(TruncatedStream, match="the words stream ended before end"):
        words.close()
    with pytest.raises(TruncatedStream):
        decoder().close()


def test_an_error_of_the_framing_is_raised_again() -> None:
    class Broken(Lines):
        def feed(self, data: bytes) -> list[str]:
            if self.rest:
                raise ProtocolError("too long")
            return super().feed(data)

    words: StreamDecoder[str] = StreamDecoder(Broken(), Words())
    words.feed(b"x")
    with pytest.raises(ProtocolError):
        words.feed(b"y")
    assert isinstance(words.error, ProtocolError)
    with pytest.raises(ProtocolError):
        words.close()


@pytest.mark.parametrize("body", [b"a\nb\nend\n", b"a\nOOPS\nb\n", b"a\nb", b"a\nlate", b"", b"end"])
def test_a_split_anywhere_changes_nothing(body: bytes) -> None:
    def run(*pieces: bytes) -> tuple[list[Event], str]:
        words, events = decoder(), list[Event]()
        try:
            for piece in pieces:
                events += words.feed(piece)
            events += words.close()
        except (APIError, TruncatedStream) as error:
            return events, str(error)
        return events, str(words.error or "")

    for cut in range(len(body) + 1):
        assert run(body[:cut], body[cut:]) == run(body)
