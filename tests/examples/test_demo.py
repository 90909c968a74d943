"""The demo, run as a user runs it, with the real model. What the model reads is measured in bench/quality, not asserted here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "examples" / "demo.py"
MESSAGES = ROOT / "examples" / "reservations"
DAYS = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}


@pytest.mark.local
@pytest.mark.slow
def test_the_demo_streams_a_value_and_ends_with_the_whole_one() -> None:
    done = subprocess.run([sys.executable, DEMO], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    partial = [line for line in done.stdout.splitlines() if line.startswith("PartialReservation(")]
    assert len(partial) > 4
    assert re.search(r"^Reservation\(day='\w+', time='.+', guests=\d+, name='.+'\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^\d+ tokens in, \d+ out$", done.stdout, re.MULTILINE)
    assert re.search(r"first token after \d+\.\d\d s, the last after \d+\.\d\d s", done.stdout)


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_the_value_grows_in_place() -> None:
    reader, terminal = os.openpty()
    with subprocess.Popen(
        [sys.executable, DEMO, "8"], stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "xterm"}
    ):
        os.close(terminal)
        output = b""
        try:
            while data := os.read(reader, 65536):
                output += data
        except OSError:  # Linux says so that the other end has been closed
            pass
    os.close(reader)
    assert output.count(b"guests  ") > 2
    assert b"\x1b[" in output
    assert b"PartialReservation" not in output
    assert b"\nReservation(" in output


def test_a_message_that_is_not_there_is_said_in_a_line() -> None:
    done = subprocess.run([sys.executable, DEMO, "no.txt"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("demo: ")
    assert "no.txt" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_score_the_demo_tells_is_the_one_measured() -> None:
    score = re.search(r'SCORE = "(\d+ of \d+) fields right over (\d+) messages', DEMO.read_text())
    assert score is not None
    results = (ROOT / "bench" / "quality" / "RESULTS.md").read_text()
    assert re.search(rf"^\| all \| {score[2]} \|.*\| {score[1]} \|$", results, re.MULTILINE)


def test_every_message_has_its_expected_fields() -> None:
    expected = tomllib.loads((ROOT / "bench" / "quality" / "expected.toml").read_text())
    assert sorted(expected) == sorted(path.stem for path in MESSAGES.iterdir())
    for number, values in expected.items():
        message = (MESSAGES / f"{number}.txt").read_text()
        assert values["day"] in DAYS
        assert values["day"] in message
        assert values["time"] in message
        assert values["name"] in message
        assert isinstance(values["guests"], int)
