"""What linters can't hold: sizes, mirrored tests, the public names, and what `import callm` may cost."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import callm

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "callm"
TESTS = ROOT / "tests"

MAX_FILE = 400
MAX_FUNCTION = 50
MAX_IMPORT_SECONDS = 0.050
MAX_IMPORT_MODULES = 200

# Where any exception may be caught and kept: the program's edge, and where a caller's own code runs inside ours.
CATCH_ALL = {
    "src/callm/cli/__init__.py",  # the last line of the program turns whatever is left into a message and an exit code
    "src/callm/io/portal.py",  # carries every error from the loop's thread to the caller's
    "src/callm/middleware/observe.py",  # a sink that fails must not fail the call
}

# Spelled in pieces, so that this file does not hold them.
FORBIDDEN = [
    *("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "debian" + ".org"),
    *(f"/{name}/" for name in ("wo" + "rk", "ro" + "ot", "ho" + "me", "op" + "t", "tm" + "p")),
]
BINARY = {".pyc", ".gguf", ".png", ".ico"}


def _files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if not {"__pycache__", ".venvs"} & set(path.parts))


PYTHON = [path for path in _files("src", "tests", "bench", "examples") if path.suffix == ".py"]
MODULES = [path for path in PYTHON if path.is_relative_to(SOURCE)]
PACKAGES = sorted({path.parent for path in MODULES})


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def _name(path: Path, line: int = 0) -> str:
    return path.relative_to(ROOT).as_posix() + (f":{line}" if line else "")


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _expect_none(found: Iterable[str], advice: str) -> None:
    """Name every place at once, in full: pytest would shorten a list."""
    lines = list(found)
    assert not lines, "\n".join([advice, *lines])


def test_a_file_has_at_most_400_lines() -> None:
    lengths = {_name(path): len(path.read_text("utf-8").splitlines()) for path in PYTHON}
    _expect_none((f"{name} has {length}" for name, length in lengths.items() if length > MAX_FILE), "split these:")


def test_a_function_fits_on_a_screen() -> None:
    every = [(path, node) for path in PYTHON for node in _functions(path)]
    lengths = {_name(path, node.lineno): (node.end_lineno or 0) - node.lineno + 1 for path, node in every}
    _expect_none((f"{name} has {length}" for name, length in lengths.items() if length > MAX_FUNCTION), "split these:")


def test_every_module_with_code_has_its_test() -> None:
    modules = [path for path in MODULES if path.name not in {"__init__.py", "__main__.py"} and _has_code(path)]
    expected = {path: _tests_of(path) for path in modules}
    missing = [_name(tests[0]) for tests in expected.values() if not any(test.exists() for test in tests)]
    _expect_none(missing, "write these:")


def _tests_of(module: Path) -> list[Path]:
    inside = module.relative_to(SOURCE).with_suffix("")
    tests = [TESTS / inside.parent / f"test_{inside.name.lstrip('_')}.py"]
    if len(inside.parts) > 2:  # a format that is a folder of its own may have one test for all of it
        tests.append(TESTS / inside.parent.parent / f"test_{inside.parent.name}.py")
    return tests


def _has_code(path: Path) -> bool:
    """Whether the module does something: a function whose body is more than a docstring and `...`."""
    bodies = [statement for function in _functions(path) for statement in function.body]
    return any(not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)) for line in bodies)


def test_no_module_imports_the_public_package() -> None:
    places = [_name(path, line) for path in MODULES for line in _imports_of_the_root(path)]
    _expect_none(places, "import from the module itself, or everything imports everything in a circle:")


def _imports_of_the_root(path: Path) -> Iterator[int]:
    for node in ast.walk(_tree(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.Import) and "callm" in names:
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "callm" and not all(map(_is_module, names)):
            yield node.lineno


def _is_module(name: str) -> bool:
    return (SOURCE / f"{name}.py").exists() or (SOURCE / name / "__init__.py").exists()


def test_errors_are_caught_by_name() -> None:
    handlers = [
        (path, node) for path in MODULES for node in ast.walk(_tree(path)) if isinstance(node, ast.ExceptHandler)
    ]
    broad = [_name(path, node.lineno) for path, node in handlers if _catches_all(node) and not _raises_again(node)]
    places = [place for place in broad if place.partition(":")[0] not in CATCH_ALL]
    _expect_none(places, "name the errors, let them go on with a bare `raise`, or give a reason in CATCH_ALL:")


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


SUPPRESSION = re.compile(
    r"#\s*(?:noqa|(?:type|pyright):\s*ignore)\b(?P<rule>:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w, -]+\])?(.*)"
)


def test_every_suppression_names_its_rule_and_its_reason() -> None:
    """The code in tests is short, so there the rule says enough."""
    lines = [(path, at, line) for path in PYTHON for at, line in enumerate(path.read_text("utf-8").splitlines(), 1)]
    found = [(path, at, SUPPRESSION.search(line)) for path, at, line in lines if "SUPPRESSION" not in line]
    matches = [(path, at, match) for path, at, match in found if match]
    _expect_none((_name(path, at) for path, at, match in matches if not match["rule"]), "name the rule:")
    reasons = [(path, at, re.search(r"\w{3}", match[2])) for path, at, match in matches if path.is_relative_to(SOURCE)]
    _expect_none((_name(path, at) for path, at, reason in reasons if not reason), "say why, behind the rule:")


def test_every_ignored_rule_of_the_linter_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8").partition("[tool.ruff.lint]")[2].partition("[tool.mypy]")[0]
    rules = [
        line for line in text.splitlines() if re.search(r'"[A-Z]+\d*"[],]', line) and not line.startswith("select")
    ]
    _expect_none((line for line in rules if "#" not in line), "say why, behind the rule:")


def test_the_architecture_page_explains_every_folder() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert [_name(folder) for folder in PACKAGES if not (folder / "__init__.py").exists()] == []
    folders = [f"{folder.relative_to(SOURCE).as_posix()}/" for folder in PACKAGES if folder.parent == SOURCE]
    assert [folder for folder in folders if folder not in page] == []


def test_the_public_names_are_there() -> None:
    """Ruff's RUF022 keeps them sorted."""
    assert [name for name in callm.__all__ if not hasattr(callm, name)] == []
    assert set(callm.__all__) - set(dir(callm)) == set()
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(callm, "no_such" + "_name")


def test_type_checkers_see_the_same_public_names_as_python() -> None:
    """They read the imports under TYPE_CHECKING, Python the table of homes.

    A name that is also a package of callm (`parse`) is in no table: to Python it is the package.
    """
    blocks = [node for node in _tree(SOURCE / "__init__.py").body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    aliases = [(alias, node.module) for node in imports for alias in node.names]
    seen = {(alias.name, home) for alias, home in aliases if not _is_module(alias.asname or alias.name)}
    homes = {(name, home) for home, names in callm._HOMES.items() for name in names.split()}
    assert sorted(seen ^ homes) == []
    packages = {name for name in callm.__all__ if _is_module(name)}
    assert sorted({name for name, _ in homes} ^ set(callm.__all__) - packages) == ["__version__"]


def test_the_names_of_every_package_are_there() -> None:
    for package in PACKAGES:
        module = importlib.import_module(".".join(package.relative_to(SOURCE.parent).parts))
        names = list(getattr(module, "__all__", []))
        assert len(names) == len(set(names)), _name(package)
        assert [name for name in names if not hasattr(module, name)] == [], _name(package)


def test_no_file_names_a_machine_or_a_registry() -> None:
    """The lock file must: it says where its hashes are from."""
    files = [*_files("src", "tests", "docs", "bench", "examples", ".ci", ".github"), ROOT / "Makefile"]
    files += [path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".yml"}]
    texts = {_name(path): path.read_bytes().decode("utf-8", "replace") for path in files if path.suffix not in BINARY}
    found = [f"{name}: {word}" for name, text in texts.items() for word in FORBIDDEN if word in text]
    _expect_none(found, "these belong to one machine or one registry:")


PROBE = """
import sys, threading, time
opened = []
def audit(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so", ".pyd")):
        opened.append(str(args[0]))
    elif event.startswith(("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.system")):
        opened.append(event)
sys.addaudithook(audit)
start = time.perf_counter()
import callm
seconds = time.perf_counter() - start
opened += ["a thread"] * (threading.active_count() - 1)
print(repr((seconds, len(sys.modules), opened)))
"""


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, int, list[str]]]:
    """Seconds, modules and opened things of `import callm`, in fresh processes with the byte code compiled."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))
    results: list[tuple[float, int, list[str]]] = []
    for turn in range(12):  # the first compiles, and a busy machine may spoil some of the others
        command = [sys.executable, "-c", PROBE]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        results.append(ast.literal_eval(done.stdout))
        if turn >= 5 and min(results)[0] < MAX_IMPORT_SECONDS:
            break
    return results[1:]


def test_importing_callm_takes_less_than_50_ms(imports: list[tuple[float, int, list[str]]]) -> None:
    assert min(seconds for seconds, _, _ in imports) < MAX_IMPORT_SECONDS


def test_importing_callm_loads_fewer_than_200_modules(imports: list[tuple[float, int, list[str]]]) -> None:
    assert max(modules for _, modules, _ in imports) < MAX_IMPORT_MODULES


PLAIN = """
import sys
import callm
callm.Client("openai/x", api_key="x").model()
print(*sorted(sys.modules))
"""


def test_a_plain_client_imports_nothing_that_it_does_not_have() -> None:
    """Together these would take longer than all the rest of ours."""
    done = subprocess.run([sys.executable, "-c", PLAIN], capture_output=True, text=True, check=True)
    optional = ("breaker", "budget", "cache", "checked", "continuation", "hedge", "limiter", "rate_limit")
    names = {f"callm.middleware.{name}" for name in optional} | {
        "callm.config.plan",
        "callm.io.stores",
        "callm.io.sqlite_store",
    }
    names |= {"callm.parse.output", "callm.prompt", "difflib", "minijinja", "sqlite3", "tomllib"}
    assert names.isdisjoint(done.stdout.split()), names & set(done.stdout.split())


def test_importing_callm_opens_nothing(imports: list[tuple[float, int, list[str]]]) -> None:
    assert [opened for _, _, opened in imports if opened] == []
