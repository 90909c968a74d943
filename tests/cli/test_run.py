import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from callm.cli import main
from callm.cli.render import clean
from callm.testing import Answer, Fault, FaultServer

PROMPTS = '''
from dataclasses import dataclass

import callm

@callm.function("openai/gpt-5-mini")
def greet(name: str, times: int = 1) -> str:
    """Greet {{ name }} {{ times }} times."""

@dataclass
class Review:
    product: str
    stars: int

@callm.function("openai/gpt-5-mini")
async def extract(review: str) -> Review:
    """Extract: {{ review }}"""

@callm.function("openai/gpt-5-mini")
def look(image: callm.Image) -> str:
    """What is on {{ image }}?"""
'''
REVIEW = '{"product": "kettle", "stars": 5}'
COMMAND = [sys.executable, "-m", "callm.cli"]


@pytest.fixture(scope="module")
def one_server() -> Iterator[FaultServer]:
    with FaultServer(Answer(text="Hello there, Ann")) as server:
        yield server


@pytest.fixture
def server(one_server: FaultServer) -> FaultServer:
    one_server.clear()  # functions share a client, which keeps the address of its first call
    return one_server


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prompts.py").write_text(PROMPTS, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1234")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")


def request_file(server: FaultServer, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "messages": [{"role": "user", "content": "Hello, how are you?", "kind": "text"}],
        "provider": "openai",
        "model": "gpt-3.5-turbo",
        "parameters": {"temperature": 0.7, "max_tokens": 100, "api_base": f"{server.url}/v1"},
    }
    Path("request.json").write_text(json.dumps(fields | changes), "utf-8")
    return "request.json"


def shell(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False, **options)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_function_of_a_file_answers_with_text(server, capsys):
    assert main(["run", "prompts.py:greet", "--arg", "name=Ann", "--arg", "times=2"]) == 0
    assert capsys.readouterr() == ("Hello there, Ann\n", "")
    body = server.requests[0].json
    assert body["messages"] == [{"role": "user", "content": "Greet Ann 2 times."}]
    assert not body.get("stream")


def test_a_function_answers_as_it_is_written(server, capsys):
    assert main(["run", "prompts:greet", "--arg", "name=Ann", "--stream"]) == 0
    assert capsys.readouterr() == ("Hello there, Ann\n", "")
    assert server.requests[0].json["stream"] is True


def test_pieces_are_lines_of_json(server, capsys):
    assert main(["run", "prompts.py:greet", "--arg", "name=Ann", "--stream", "--json"]) == 0
    pieces = lines(capsys.readouterr().out)
    assert all(piece == {"content": piece["content"], "role": "assistant"} for piece in pieces)
    assert [piece["content"] for piece in pieces] == ["Hello", " there,", " Ann"]


def test_a_typed_value_is_indented_json_and_part_of_the_line(server, capsys):
    server.always(Fault(answer=Answer(text=REVIEW)))
    for stream in ([], ["--stream"]):
        assert main(["run", "prompts.py:extract", "--arg", "review=Great!", *stream]) == 0
        assert capsys.readouterr().out == '{\n  "product": "kettle",\n  "stars": 5\n}\n'
    assert main(["run", "prompts.py:extract", "--arg", "review=Great!", "--json"]) == 0
    (line,) = lines(capsys.readouterr().out)
    assert line["content"] == REVIEW
    assert line["value"] == {"product": "kettle", "stars": 5}
    assert line["finish_reason"] == "stop"
    assert line["usage"]["output_tokens"] > 0


def test_an_image_goes_along(server, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    assert main(["run", "prompts.py:look", "--arg", "image=@a.png"]) == 0
    kinds = [part["type"] for part in server.requests[0].json["messages"][0]["content"]]
    assert kinds == ["text", "image_url", "text"]


def test_a_request_file_in_both_formats(server, capsys):
    assert main(["run", "--request-file", request_file(server)]) == 0
    assert main(["run", "--request-file", request_file(server, provider="anthropic", model="claude-x", parameters={"max_tokens": 9, "api_base": server.url})]) == 0  # fmt: skip
    assert capsys.readouterr().out == "Hello there, Ann\n" * 2
    first, second = (request.json for request in server.requests)
    assert [request.path for request in server.requests] == ["/v1/chat/completions", "/v1/messages"]
    assert first["model"] == "gpt-3.5-turbo"
    assert (first["temperature"], first.get("max_tokens", first.get("max_completion_tokens"))) == (0.7, 100)
    assert (second["model"], second["max_tokens"]) == ("claude-x", 9)


def test_an_answer_that_is_not_complete_is_said_to_be(server, capsys):
    server.always(Fault(answer=Answer(text="Once upon a", finish_reason="length")))
    for stream in ([], ["--stream"]):
        assert main(["run", "--request-file", request_file(server), *stream]) == 0
        assert capsys.readouterr() == ("Once upon a\n", "callm: the answer is not complete: it ended by length\n")


def test_what_could_not_be_given_to_the_provider_is_told(server, capsys):
    parameters = {"seed": 7, "max_tokens": 9, "api_base": server.url}
    path = request_file(server, provider="anthropic", model="claude-x", parameters=parameters)
    assert main(["run", "--request-file", path]) == 0
    out, err = capsys.readouterr()
    assert out == "Hello there, Ann\n"
    assert err.startswith("callm: ")
    assert "seed" in err


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_thoughts_and_partial_values_reach_the_screen(server, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    server.always(Fault(answer=Answer(text=REVIEW, deltas=6, reasoning="Let me see.")))
    assert main(["run", "prompts.py:greet", "--arg", "name=Ann", "--stream"]) == 0
    assert clean(screen.getvalue()) == f"Let me see.\n\n{REVIEW}\n"
    assert main(["run", "prompts.py:extract", "--arg", "review=x", "--stream"]) == 0
    assert '"stars": null' in clean(screen.getvalue())


def test_another_model_may_be_asked(server):
    assert main(["run", "prompts.py:greet", "--arg", "name=Ann", "--model", "anthropic/claude-x"]) == 0
    assert main(["run", "--request-file", request_file(server), "--model", "openai/other"]) == 0
    assert [request.json["model"] for request in server.requests] == ["claude-x", "other"]


def test_stdin_may_be_the_request_or_the_arguments(server):
    text = Path(request_file(server)).read_text("utf-8")
    assert shell("run", "--request-file", "-", input=text).stdout == "Hello there, Ann\n"
    assert shell("run", "prompts:greet", "--input", "-", input='{"name": "Ann"}').stdout == "Hello there, Ann\n"
    assert len(server.requests) == 2


BAD: list[tuple[Sequence[str], str]] = [
    (["run"], "nothing to run"),
    (["run", "prompts.py:greet", "--request-file", "r.json"], "a request file is the whole request"),
    (["run", "--request-file", "nope.json"], "can't read 'nope.json'"),
    (["run", "nope.py:greet"], "there is no file 'nope.py'"),
    (["run", "prompts.py:gret"], "did you mean 'greet'?"),
    (["run", "prompts.py:greet"], "missing name"),
    (["run", "prompts.py:greet", "--arg", "nam=a"], "did you mean 'name'?"),
    (["run", "prompts.py:greet", "--arg", "name=a", "--arg", "times=often"], "argument 'times' (int)"),
    (["run", "prompts.py:greet", "--arg", "name=a", "--model", "opnai/gpt"], "did you mean 'openai'?"),
    (["run", "prompts.py:greet", "--arg", "name=a", "--model", "gpt"], "has no provider: write 'provider/model'"),
    (["run", "prompts.py:greet", "--stram"], "--stream"),
    (["modls"], "No such command 'modls'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_a_wrong_command_line_is_refused_and_nothing_is_sent(server, capsys, arguments, message):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert server.requests == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temprature": 1}, "unknown field 'temprature'"),
        ({"messages": [{"role": "user"}]}, "messages[0].content is missing"),
        ({"parameters": {"max_tokens": "many"}}, "parameters.max_tokens must be a whole number"),
        ({"provider": "opnai"}, "unknown provider 'opnai': did you mean 'openai'?"),
        ({"provider": "groq", "parameters": {}}, "GROQ_API_KEY"),
    ],
)
def test_a_wrong_request_file_is_refused_and_nothing_is_sent(server, capsys, monkeypatch, changes, message):
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    assert main(["run", "--request-file", request_file(server, **changes)]) == 2
    assert message in capsys.readouterr().err
    assert server.requests == []


def test_a_wrong_declaration_is_refused(server, tmp_path, capsys):
    (tmp_path / "wrong.py").write_text(PROMPTS.replace("{{ name }}", "{{ nam }}"), "utf-8")
    assert main(["run", "wrong.py:greet", "--arg", "name=Ann"]) == 2
    assert "did you mean 'name'?" in capsys.readouterr().err
    (tmp_path / "fails.py").write_text("1 / 0", "utf-8")
    assert main(["run", "fails.py:greet"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert server.requests == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(status=401), "HTTP 401"),
        (Fault(answer=Answer(text="no json at all")), ""),
        (Fault(at=-1), ""),
    ],
)
@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_a_failed_call_is_told_on_stderr(server, capsys, fault, message, stream):
    server.always(fault)
    assert main(["run", "prompts.py:extract", "--arg", "review=Great!", *stream]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("callm: ")
    assert message in err
    assert "canary" not in err
    assert out == ""


def test_a_cut_stream_is_a_failure_after_what_had_come(server, capsys):
    server.always(Fault(marker=False))
    assert main(["run", "prompts.py:greet", "--arg", "name=Ann", "--stream"]) == 1
    out, err = capsys.readouterr()
    assert out == "Hello there, Ann"
    assert "ended before" in err


def test_exit_codes_reach_the_shell(server):
    done = shell("run", "prompts.py:greet", "--arg", "name=Ann")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello there, Ann\n", "")
    assert shell("run").returncode == 2
    server.always(Fault(status=500))
    assert shell("run", "prompts.py:greet", "--arg", "name=Ann").returncode == 1


def test_a_reader_that_leaves_early_is_no_traceback(server):
    server.always(Fault(answer=Answer(text="word " * 20_000, deltas=2000)))
    command = [*COMMAND, "run", "prompts.py:greet", "--arg", "name=Ann", "--stream"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_ends_the_call(server):
    server.always(Fault(answer=Answer(text="one two three"), size=1, pause=0.2))
    command = [*COMMAND, "run", "prompts.py:greet", "--arg", "name=Ann", "--stream"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    while not server.requests:
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err


def on_a_terminal(*arguments: str, environment: Mapping[str, str] = os.environ) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other side has closed
            break
        if not data:
            break
        seen += data
    os.close(ours)
    return process.wait(20), seen.decode()


def test_a_terminal_sees_text_without_escape_sequences(server):
    server.always(Fault(answer=Answer(text="a\x1b]0;owned\x07b \x1b[2Jc \x1b[31m d", deltas=7)))
    for stream in ([], ["--stream"]):
        code, seen = on_a_terminal("run", "prompts.py:greet", "--arg", "name=Ann", *stream)
        assert (code, seen) == (0, "ab c  d\r\n")


def test_a_pipe_gets_the_text_as_it_is(server):
    server.always(Fault(answer=Answer(text="a\x1b[31mb")))
    assert shell("run", "prompts.py:greet", "--arg", "name=Ann", "--stream").stdout == "a\x1b[31mb\n"


def test_a_terminal_sees_a_typed_value_grow(server):
    server.always(Fault(answer=Answer(text=REVIEW, deltas=6)))
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}
    code, seen = on_a_terminal("run", "prompts.py:extract", "--arg", "review=x", "--stream", environment=environment)
    assert code == 0
    assert clean(seen).endswith('{\n  "product": "kettle",\n  "stars": 5\n}\n')
    assert "null" in seen
