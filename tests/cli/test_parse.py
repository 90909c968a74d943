"""`callm parse`."""

import io
import json
import sys

import pytest

from callm.cli import main

MODULE = """
from pydantic import BaseModel

class Point(BaseModel):
    x: int
    y: str = "?"
"""
BAML = "class Point {\n  x int @check(big, {{ this > 5 }})\n  tags string[]\n}"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes.py").write_text(MODULE)
    (tmp_path / "shapes.baml").write_text(BAML)
    (tmp_path / "answer.txt").write_text("Sure: {X: 1, y: 'a',}")
    return tmp_path


def test_a_file_is_read_as_a_type_and_the_repairs_are_told(capsys):
    assert main(["parse", "--type", "shapes.py:Point", "answer.txt"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"x": 1, "y": "a"}
    assert "mended json" in err
    assert "x: key match" in err


def test_stdin_is_read_as_a_baml_type(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"x": "3"}')))
    assert main(["parse", "--baml", "shapes.baml", "--type", "Point[]", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["value"] == [{"x": 3, "tags": []}]
    assert "default_for_missing" in {repair["kind"] for repair in line["repairs"]}
    assert [(check["label"], check["passed"]) for check in line["checks"]] == [("big", False)]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--type", "shapes.py:Point", "--policy", "strict", "answer.txt"], 1, "not allowed by the policy 'strict'"),
        (["--type", "shapes.py:Piont", "answer.txt"], 2, "did you mean 'Point'?"),
        (["--type", "Point", "answer.txt"], 2, "is no type"),
        (["--type", "nope.py:Point", "answer.txt"], 2, "there is no file"),
        (["--type", "shapes.py:Point", "nope.txt"], 2, "can't read 'nope.txt'"),
        (["--baml", "shapes.baml", "--type", "Circle", "answer.txt"], 2, "the type 'Circle' does not exist"),
        (["answer.txt"], 2, "--type"),
    ],
)
def test_what_is_wrong_is_told(arguments, code, words, capsys):
    assert main(["parse", *arguments]) == code
    assert words in capsys.readouterr().err
