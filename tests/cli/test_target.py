import sys

import click
import pytest

from callm.cli.target import load
from callm.fronts.function import Function

MODULE = '''
import callm
from helper_of_target import NAME

@callm.function("openai/gpt-5-mini")
def greet(name: str) -> str:
    """Greet {{ name }}."""

class Group:
    greet = greet

def plain(): ...
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "helper_of_target.py").write_text("NAME = 'x'\n")
    (tmp_path / "json.py").write_text(MODULE)
    (tmp_path / "prompts_of_target.py").write_text(MODULE)
    (tmp_path / "broken_of_target.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "wrong_of_target.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    for name in [name for name in sys.modules if name.endswith("_of_target")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


@pytest.mark.parametrize(
    "target", ["json.py:greet", "./json.py:greet", "prompts_of_target:greet", "prompts_of_target:Group.greet"]
)
def test_a_target_names_a_function_of_a_file_or_module(target):
    assert isinstance(load(target), Function)
    assert sys.modules["json"].__name__ == "json"
    assert hasattr(sys.modules["json"], "dumps")


def test_a_file_may_be_anywhere_and_import_its_neighbours(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert isinstance(load(f"{folder}/json.py:greet"), Function)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("json.py", "'json.py' is no target: write module:function or file.py:function"),
        ("json.py:", "is no target"),
        (":greet", "is no target"),
        ("nope.py:greet", "there is no file 'nope.py'"),
        ("no_such_module_at_all:greet", "No module named 'no_such_module_at_all': for a file write"),
        ("no_such.module_at_all:greet", "for a file write"),
        ("broken_of_target:f", "can't be imported: No module named 'no_such_module_anywhere'"),
        ("broken_of_target.py:f", "can't be imported: No module named 'no_such_module_anywhere'"),
        ("wrong_of_target.py:f", "can't be imported: invalid syntax"),
        ("json.py:gret", "json.py has no function 'gret': did you mean 'greet'?"),
        ("json.py:zzz", "json.py has no function 'zzz': its functions are greet"),
        ("json.py:greet.zzz", "has no function 'greet.zzz'"),
        ("json.py:plain", "'plain' of json.py is no prompt function: decorate it with @callm.function"),
    ],
)
def test_a_wrong_target_is_refused(target, message):
    with pytest.raises(click.UsageError) as info:
        load(target)
    assert message in info.value.message
    assert ("for a file write" in message) == ("for a file write" in info.value.message)
