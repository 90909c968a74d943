"""Every Python block of the README and the guides runs: a page is a program, its blocks in order, in one namespace.

Every provider is a `FaultServer` on this machine, with a key in the environment, so the blocks say what a user would say.
A block may `await` at the top level, as in a notebook. What it needs beyond that stands before it, in comments that no reader sees:

    <!-- answer: {"name": "Ada"} -->   what the model answers to the block's next call; one comment for each call.
                                       Without it the model repeats the last message.
    <!-- fault: rate_limit -->         how the server fails instead: a name or JSON, as `callm.testing.parse_fault` reads it
    <!-- not run: needs an account --> the block is compiled and not run; the reason must be given

and before a ```text block:

    <!-- prints -->                    this is what the Python block before it printed, to the letter
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

import callm
import callm.client
from callm.testing import Answer, Fault, FaultServer, parse_fault
from callm.wire.providers import PROVIDERS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_TOKEN = re.compile(
    r"<!--(?P<comment>.*?)-->|^(?P<indent> *)(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *(?P=fence)`* *$",
    re.MULTILINE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"\s*(answer|fault|not run|prints)\b:?\s*(.*?)\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int
    directives: tuple[tuple[str, str], ...] = ()

    @property
    def plan(self) -> list[Fault]:
        said = [(kind, text) for kind, text in self.directives if kind in {"answer", "fault"}]
        return [Fault(answer=Answer(text=text)) if kind == "answer" else parse_fault(text) for kind, text in said]

    @property
    def reason(self) -> str | None:
        return next((text for kind, text in self.directives if kind == "not run"), None)

    @property
    def is_printed(self) -> bool:
        return ("prints", "") in self.directives


def read_blocks(text: str) -> Iterator[Block]:
    directives: list[tuple[str, str]] = []
    end = 0
    for token in _TOKEN.finditer(text):
        if text[end : token.start()].strip():
            assert not directives, f"{directives[0]} stands before no block"
        end = token.end()
        if token["comment"] is not None:
            found = _DIRECTIVE.match(token["comment"])
            directives += [(found[1], found[2])] if found else []
            continue
        line = text.count("\n", 0, token.start("code")) + 1
        yield Block(token["language"], dedent(token["code"]), line, tuple(directives))
        directives = []
    assert not directives, f"{directives[0]} stands before no block"


class Page:
    """A program in the making."""

    def __init__(self, path: Path, server: FaultServer) -> None:
        self.path = path
        self.server = server
        self.module = ModuleType("page_" + re.sub(r"\W", "_", path.stem))
        self.printed = ""

    def run(self, block: Block, runner: asyncio.Runner) -> None:
        """Run or compile a Python block, or compare what was printed."""
        if block.is_printed:
            assert self.printed.strip() == block.code.strip(), f"{self.path.name}:{block.line} is not what was printed"
        if block.language != "python":
            return
        source = "\n" * (block.line - 1) + block.code  # so that a traceback names the line of the page
        code = compile(source, str(self.path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        if block.reason is not None:
            assert block.reason, f"{self.path.name}:{block.line} must say why it is not run"
            return
        self.server.plan(*block.plan)
        with redirect_stdout(io.StringIO()) as output:
            waiting = eval(code, self.module.__dict__)
            if inspect.iscoroutine(waiting):
                runner.run(waiting)
        self.printed = output.getvalue()
        assert not self.server._plan, f"{self.path.name}:{block.line} made fewer calls than it has answers"


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(autouse=True)
def surroundings(server: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty folder, a key for every provider, and every provider's address the server's."""
    monkeypatch.chdir(tmp_path)
    for row in PROVIDERS.values():
        path = "/v1" if row.format == "openai_chat" else ""
        for name in row.base_url_env:
            monkeypatch.setenv(name, server.url + path)
        for name in row.key_env:
            monkeypatch.setenv(name, "key-of-the-docs")
    monkeypatch.setattr(callm.client, "_default", None)
    yield
    server.clear()
    if callm.client._default is not None:
        callm.client._default.close()


def run_page(path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Page:
    page = Page(path, server)
    monkeypatch.setitem(sys.modules, page.module.__name__, page.module)  # where dataclasses and pydantic look for names
    with asyncio.Runner() as runner:
        for block in read_blocks(path.read_text("utf-8")):
            page.run(block, runner)
    return page


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_block_of_a_page_runs(path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    run_page(path, server, monkeypatch)


def test_the_reference_has_every_module_of_public_names() -> None:
    page = (ROOT / "docs" / "reference.md").read_text("utf-8")
    shown = set(re.findall(r"^::: (\S+)$", page, re.MULTILINE))
    homes = set(callm._HOMES) - {"callm.types"} | {"callm.testing"}
    assert homes - shown == set()


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]
    assert sorted(page for entry in nav for page in entry.values()) == [page.name for page in PAGES[1:]]


EXAMPLE = """
# A page

<!-- answer: good -->
<!-- answer: bad -->
```python
import callm
from typing import Literal

@callm.function("openai/gpt-5-mini")
async def sentiment(review: str) -> Literal["good", "bad"]:
    '''Classify: {{ review }}'''

print(await sentiment("fine"))
print(await sentiment("broken"))
```

It prints:

<!-- prints -->
```text
good
bad
```

<!-- not run: needs an account -->
```python
raise SystemExit
```

1. An indented one:

    <!-- fault: {"status": 401} -->
    ```python
    try:
        callm.Client("anthropic/claude-sonnet-5").call("hello").result()
    except callm.AuthError as error:
        print(error.status)
    ```
"""


def test_a_page_is_a_program(server: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(EXAMPLE, "utf-8")
    page = run_page(path, server, monkeypatch)
    assert page.printed == "401\n"
    assert [request.path for request in server.requests] == [
        "/v1/chat/completions",
        "/v1/chat/completions",
        "/v1/messages",
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("good\nbad\n```", "good\ngood\n```"), "is not what was printed"),
        (("needs an account", ""), "must say why"),
        (("<!-- prints -->\n", "<!-- prints -->\nwords\n"), "stands before no block"),
        (("<!-- answer: good -->\n", "<!-- answer: good -->\n" * 2), "fewer calls"),
    ],
    ids=["printed", "reason", "lost", "answers"],
)
def test_a_page_that_is_wrong_is_found(
    change: tuple[str, str], complaint: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "page.md"
    path.write_text(EXAMPLE.replace(*change), "utf-8")
    with pytest.raises(AssertionError, match=complaint):
        run_page(path, server, monkeypatch)
