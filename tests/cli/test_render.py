import io
import json
import sys
from dataclasses import dataclass
from enum import Enum

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from callm.cli.render import EscapeFilter, Lines, Live, Plain, Terminal, clean, make_sink, pretty, summary
from callm.types import (
    Finish,
    RefusalDelta,
    Response,
    ResponseStart,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)


class Mood(Enum):
    GOOD = "good"


class Review(pydantic.BaseModel):
    product: str
    mood: Mood | None = None


@dataclass
class Pair:
    first: int
    second: float


def response(*texts: str, output: object = None) -> Response:
    made = Response()
    made.add([ResponseStart("r1", "m"), *map(TextDelta, texts)])
    made.add([UsageReport(Usage(input_tokens=3, output_tokens=2)), Finish("stop")])
    made.output = output
    return made


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "xlink"),
        ("\x9b31mred\x9d0;t\x9cx\x90q\x1b\\y", "redxy"),
        ("\x1bPdevice\x1b\\a\x1b^pm\x1b\\b\x1b_apc\x07c\x1bXsos\x9cd", "abcd"),
        ("\x1bc\x1b(B\x1b7\x1b=x\x1bM", "x"),
        ("bell\x07 back\x08space\r\nnul\x00 del\x7f shift\x0e", "bell backspace\nnul del shift"),
        ("open \x1b[31", "open "),
        ("open \x1b]0;never ends", "open "),
        ("é 你好 😀", "é 你好 😀"),
        ("\x1b\x1b[31mx", "x"),
    ],
)
def test_escape_sequences_are_taken_out(text, safe):
    assert clean(text) == safe


TEXTS = st.text(st.sampled_from("\x1b\x9b\x9d\x9c\x07[]P\\0;1mA \n\r\x00é"), max_size=30)


@given(TEXTS, st.data())
def test_splitting_the_text_changes_nothing(text, data):
    cut = data.draw(st.integers(0, len(text)))
    pieces = EscapeFilter()
    assert pieces.feed(text[:cut]) + pieces.feed(text[cut:]) == clean(text)


@given(st.text())
def test_nothing_a_terminal_obeys_is_left(text):
    assert not [character for character in clean(text) if not character.isprintable() and character.isascii() and character not in "\n\t"]  # fmt: skip


def test_a_sequence_that_never_ends_does_not_swallow_everything():
    pieces = EscapeFilter()
    shown = pieces.feed("\x1b]0;" + "x" * 10_000) + pieces.feed("more") + pieces.feed("\nend")
    assert shown.endswith("\nend")
    assert "\x1b" not in shown


def test_lines_of_a_stream_are_its_pieces(capsys):
    sink = Lines(stream=True, typed=False)
    sink.thought("hm")
    sink.delta('"é\n')
    sink.end(response("x"))
    assert capsys.readouterr().out == '{"content": "\\"é\\n", "role": "assistant"}\n'


def test_the_line_of_a_whole_answer(capsys):
    Lines(stream=False, typed=True).end(response("{}", output=Review(product="a", mood=Mood.GOOD)))
    assert json.loads(capsys.readouterr().out) == {
        "content": "{}",
        "role": "assistant",
        "finish_reason": "stop",
        "model": "m",
        "usage": {"input_tokens": 3, "output_tokens": 2},
        "value": {"product": "a", "mood": "good"},
    }


def test_tool_calls_and_a_refusal_are_part_of_it():
    made = Response()
    made.add([RefusalDelta("no"), ToolCallStart(0, "c1", "f"), ToolCallDelta(0, "{}"), ToolCallEnd(0), Finish("stop")])
    told = summary(made)
    assert told["refusal"] == "no"
    assert told["tool_calls"] == [{"type": "tool_call", "id": "c1", "name": "f", "arguments": "{}"}]


def test_plain_text_is_written_as_it_comes_and_ends_its_line(capsys):
    sink = Plain(typed=False, terminal=False)
    sink.partial("never")
    sink.delta("a\x1b[1m")
    assert capsys.readouterr().out == "a\x1b[1m"
    sink.delta("b")
    sink.end(response("a", "b"))
    sink.close()
    assert capsys.readouterr().out == "b\n"


def test_a_line_that_has_ended_is_not_ended_twice(capsys):
    sink = Plain(typed=False, terminal=False)
    sink.delta("a\n")
    sink.end(response("a\n"))
    assert capsys.readouterr().out == "a\n"


def test_a_whole_text_and_a_refusal_are_written_at_the_end(capsys):
    Plain(typed=False, terminal=True).end(response("a\x1b[1mb"))
    refused = Response()
    refused.add([RefusalDelta("I can't"), Finish("refusal")])
    Plain(typed=False, terminal=False).end(refused)
    assert capsys.readouterr().out == "ab\nI can't\n"


def test_a_typed_value_is_indented_json(capsys):
    sink = Plain(typed=True, terminal=False)
    sink.delta('{"product"')
    sink.end(response("x", output=Review(product="é")))
    assert capsys.readouterr().out == '{\n  "product": "é",\n  "mood": null\n}\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Pair(1, float("inf")), '{\n  "first": 1,\n  "second": null\n}'),
        ([Mood.GOOD], '[\n  "good"\n]'),
        ("good", '"good"'),
        (None, "null"),
        (True, "true"),
        ({"u": Usage(input_tokens=1)}, '{\n  "u": {\n    "input_tokens": 1\n  }\n}'),
    ],
    ids=repr,
)
def test_values_become_json(value, text):
    assert pretty(value) == text


def test_thoughts_stand_dimmed_before_the_text(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    sink = Terminal(Console(file=screen, force_terminal=True, color_system="standard"))
    sink.thought("hm\x1b[5m")
    sink.delta("an")
    sink.delta("swer")
    sink.end(response("answer"))
    assert screen.getvalue() == "\x1b[2mhm\x1b[0m\n\nanswer\n"


def test_a_growing_value_is_shown_and_the_whole_one_stays():
    screen = Screen()
    sink = Live(Console(file=screen, force_terminal=True, color_system=None))
    sink.delta("ignored")
    sink.partial({"a": "\x9b31m"})
    assert '"a": "' in screen.getvalue()
    sink.end(response("x", output={"a": "b" * 200}))
    assert screen.getvalue().endswith('{\n  "a": "' + "b" * 200 + '"\n}\n')
    assert "ignored" not in screen.getvalue()


def test_the_sink_fits_the_reader(monkeypatch):
    def chosen(*, as_json: bool = False, stream: bool = True, typed: bool = False) -> str:
        return type(make_sink(as_json=as_json, stream=stream, typed=typed)).__name__

    assert [chosen(as_json=True), chosen(), chosen(typed=True)] == ["Lines", "Plain", "Plain"]
    monkeypatch.setattr(sys, "stdout", Screen())
    assert [chosen(as_json=True), chosen(), chosen(typed=True)] == ["Lines", "Terminal", "Live"]
    assert [chosen(stream=False), chosen(stream=False, typed=True)] == ["Plain", "Plain"]
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert [chosen(), chosen(typed=True)] == ["Plain", "Plain"]
