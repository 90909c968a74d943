"""An answer that does not parse as a failed attempt."""

from __future__ import annotations

import msgspec
import pytest

from callm.errors import LengthError, OutputError
from callm.middleware.checked import Checked
from callm.middleware.fallback import Fallback
from callm.parse.output import Output
from callm.testing import ScriptedModel
from callm.types import Event, Finish, TextDelta
from tests.middleware.playing import HI, play

NUMBER = msgspec.structs.replace(HI, output=Output(int))


def says(text: str, name: str, reason: str = "stop") -> ScriptedModel:
    events: list[Event] = [TextDelta(text), Finish(reason)]  # type: ignore[arg-type]
    return ScriptedModel(events, name=name)


def test_a_fallback_replaces_an_answer_of_the_wrong_type() -> None:
    played = play(Fallback((Checked(says("I can't say", "p/a")), Checked(says("42", "p/b")))), NUMBER)
    assert (played.response.text, played.response.answered_by) == ("42", "p/b")
    assert played.response.attempts[0].kind == "output"


@pytest.mark.parametrize(("text", "reason", "kind"), [("no", "stop", OutputError), ("4", "length", LengthError)])
def test_nothing_of_a_wrong_answer_is_delivered(text: str, reason: str, kind: type[OutputError]) -> None:
    played = play(Checked(says(text, "p/a", reason)), NUMBER)
    assert isinstance(played.error, kind)
    assert played.batches == []


def test_a_good_answer_comes_as_it_was() -> None:
    assert play(Checked(says("42", "p/a")), NUMBER).batches == play(says("42", "p/a")).batches


def test_a_stream_is_not_held_back() -> None:
    streamed = msgspec.structs.replace(NUMBER, stream=True)
    played = play(Checked(says("no", "p/a")), streamed)
    assert (played.error, played.response.text) == (None, "no")


def test_without_a_type_there_is_nothing_to_check() -> None:
    assert play(Checked(says("no", "p/a"))).response.text == "no"
