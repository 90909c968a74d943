"""The program that serves a model, spoken to as `local_server` does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from callm.io import local_child
from callm.io.local_weights import find_library, find_model

pytestmark = pytest.mark.local


def settings(**changed: Any) -> bytes:
    usual = {"path": str(find_model("smollm2")), "alias": "x", "library": str(find_library()), "context": 256}
    return json.dumps({**usual, "answer": 8, "threads": 1, "key": "k", **changed}).encode() + b"\n"


def child() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", str(Path(local_child.__file__))]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


def test_it_answers_with_its_address_and_serves_until_its_input_ends() -> None:
    with child() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(settings())
        process.stdin.flush()
        address = json.loads(process.stdout.readline())["address"]
        wire = Request(
            f"{address}/v1/chat/completions",
            json.dumps({"messages": [{"role": "user", "content": "Count to a hundred."}]}).encode(),
            {"content-type": "application/json", "authorization": "Bearer k"},
        )
        with urlopen(wire) as answer:
            assert 1 <= json.load(answer)["usage"]["completion_tokens"] <= 8  # the model may end before the limit
        process.stdin.close()
        process.wait(5)
        assert process.stdout.read() == b""
        assert process.stderr.read() == b""


def test_a_model_that_can_not_be_loaded_is_said_on_standard_error() -> None:
    with child() as process:
        answer, errors = process.communicate(settings(path="/nowhere.gguf"), timeout=30)
    assert answer == b""
    assert b"nowhere.gguf" in errors
    assert process.returncode == 1
