import datetime as dt
import enum
import io
import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import click
import msgspec
import pydantic
import pytest

from callm.cli.arguments import read_arguments, read_file
from callm.prompt.signature import MISSING, Parameter
from callm.types import Audio, File, Image

PNG = b"\x89PNG\r\n\x1a\n..."


class Mood(enum.Enum):
    GOOD = "good"


class Review(pydantic.BaseModel):
    stars: int


@dataclass
class Pair:
    first: int


class Row(TypedDict):
    number: int


class Point(msgspec.Struct):
    x: int


def read(annotation: Any, text: str) -> Any:
    return read_arguments({"a": Parameter("a", annotation)}, [f"a={text}"], None)["a"]


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "5", "5"),
        (str, "a=b", "a=b"),
        (str, "", ""),
        (Any, "[1]", "[1]"),
        (str | None, "null", "null"),
        (Annotated[str, "note"], "5", "5"),
        (int, "5", 5),
        (int | None, "null", None),
        (float, "2", 2.0),
        (bool, "true", True),
        (list[str], '["a", "b"]', ["a", "b"]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Mood, "good", Mood.GOOD),
        (Literal["x", "y"], "x", "x"),
        (Literal[1, 2], "2", 2),
        (dt.date, "2026-01-02", dt.date(2026, 1, 2)),
        (Review, '{"stars": 5}', Review(stars=5)),
        (list[Pair], '[{"first": 1}]', [Pair(1)]),
        (Row, '{"number": 1}', {"number": 1}),
        (Point, '{"x": 1}', Point(1)),
    ],
)
def test_text_becomes_the_parameters_type(annotation, text, value):
    assert read(annotation, text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        (int, "five", r"argument 'a' \(int\): .*valid integer"),
        (Literal["x", "y"], "z", "argument 'a' .*Input should be 'x' or 'y'"),
        (Review, "{}", r"argument 'a' \(Review\): .*stars"),
        (Row, "{}", r"argument 'a' \(Row\): .*number"),
        (list[int], '["a"]', "argument 'a'"),
        (Image, "a.png", r"argument 'a' \(Image\): write a URL, or @ and the path"),
        (str, "@/does/not/exist", "can't read '/does/not/exist': No such file"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(annotation, text, message):
    with pytest.raises(click.UsageError, match=message):
        read(annotation, text)


def test_a_file_gives_its_contents(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("5\n", "utf-8")
    assert read(str, f"@{path}") == "5\n"
    assert read(int, f"@{path}") == 5
    path.write_bytes(b"\xff")
    with pytest.raises(click.UsageError, match="is not UTF-8"):
        read(str, f"@{path}")


def test_stdin_gives_its_contents(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from stdin")))
    assert read(str, "@-") == "from stdin"


def test_media_come_from_files_and_addresses(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    assert read(Image, f"@{path}") == Image(data=PNG)
    assert read(Image | None, f"@{path}") == Image(data=PNG)
    assert read(Annotated[Image, "note"], "https://example.com/a.png") == Image(url="https://example.com/a.png")
    assert read(File, f"@{path}") == File(data=PNG, name="a.png")
    with pytest.raises(click.UsageError, match=r"\(Audio\): Audio needs media_type="):
        path.write_bytes(b"nothing known")
        read(Audio, f"@{path}")


def test_an_input_file_gives_arguments_and_the_command_line_wins(tmp_path):
    parameters = {
        "a": Parameter("a", int),
        "b": Parameter("b", str),
        "c": Parameter("c", Image | None, default=None),
        "d": Parameter("d", str, default="d"),
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": 1, "b": "file", "c": "https://example.com/a.png"}), "utf-8")
    assert read_arguments(parameters, ["b=line"], str(path)) == {
        "a": 1,
        "b": "line",
        "c": Image(url="https://example.com/a.png"),
    }
    assert parameters["a"].default is MISSING


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2}', "argument 'b'"),
        ('{"a": "x"}', "argument 'a'"),
        ('{"aa": 1}', "unknown argument 'aa': did you mean 'a'"),
        ("[]", "must be a JSON object"),
        ("{", "is no JSON"),
    ],
)
def test_a_wrong_input_file_is_refused(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text, "utf-8")
    with pytest.raises(click.UsageError, match=message):
        read_arguments({"a": Parameter("a", int), "b": Parameter("b", str)}, [], str(path))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["text"], "--arg 'text' has no value: write --arg name=value"),
        (["tekst=a"], "unknown argument 'tekst': did you mean 'text'"),
        (["zzz=a"], "unknown argument 'zzz': the function's are text, limit"),
        ([], "missing text, limit: write --arg text=... --arg limit=..."),
    ],
)
def test_wrong_arguments_are_refused(pairs, message):
    parameters = {"text": Parameter("text", str), "limit": Parameter("limit", int)}
    with pytest.raises(click.UsageError) as info:
        read_arguments(parameters, pairs, None)
    assert message in info.value.message


def test_a_file_that_can_not_be_read_is_named(tmp_path):
    with pytest.raises(click.UsageError, match="Is a directory"):
        read_file(str(tmp_path))
