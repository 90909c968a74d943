"""`module:function` or `file.py:function` to the function."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import click

from callm.fronts.function import Function


def load(target: str) -> Function[..., Any, Any]:
    """Return the function that `target` names.

    Raises:
        UsageError: there is no such file, module or function, or it is not made by `callm.function`.
    """
    place, separator, name = target.rpartition(":")
    if not (separator and place and name):
        raise click.UsageError(f"{target!r} is no target: write module:function or file.py:function")
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Function):
        return cast("Function[..., Any, Any]", found)
    functions = [key for key, value in vars(module).items() if isinstance(value, Function)]
    if found is not None:
        raise click.UsageError(f"{name!r} of {place} is no prompt function: decorate it with @callm.function(...)")
    close = get_close_matches(name, functions, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"its functions are {', '.join(functions) or '(none)'}"
    raise click.UsageError(f"{place} has no function {name!r}: {hint}")


def load_type(target: str) -> Any:
    """Return the type that `module:Type` or `file.py:Type` names.

    Raises:
        UsageError: there is no such file, module or name.
    """
    place, separator, name = target.rpartition(":")
    if not (separator and place and name):
        raise click.UsageError(f"{target!r} is no type: write module:Type or file.py:Type")
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        close = get_close_matches(name, vars(module), n=1)
        raise click.UsageError(f"{place} has no {name!r}" + (f": did you mean {close[0]!r}?" if close else ""))
    return found


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise click.UsageError(f"there is no file {str(path)!r}")
    name = f"callm_target_{path.stem}"  # not the stem alone: json.py must not hide the json of others
    loader = SourceFileLoader(name, str(path.resolve()))
    spec = ModuleSpec(name, loader, origin=loader.path)
    spec.has_location = True
    module = module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        loader.exec_module(module)
    except (ImportError, SyntaxError) as error:
        raise click.UsageError(f"{str(path)!r} can't be imported: {error}") from error
    return module


def _module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(name)
    except (ImportError, SyntaxError) as error:
        missing = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        hint = ": for a file write path/to/file.py:function" if missing else ""
        raise click.UsageError(f"module {name!r} can't be imported: {error}{hint}") from error
