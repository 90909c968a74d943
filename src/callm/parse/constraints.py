"""Constraints of a type: expressions about `this`, in the language of the templates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from minijinja import Environment, TemplateError

from callm.parse.found import Found, Miss, Result
from callm.schema.model import Constraint


@lru_cache(maxsize=1)
def _environment() -> Environment:
    def regex_match(text: Any, pattern: Any) -> bool:
        return re.search(str(pattern), str(text)) is not None

    return Environment(undefined_behavior="lenient", filters={"regex_match": regex_match}, fuel=100_000)


def holds(found: Found, constraints: Iterable[Constraint]) -> Result:
    """Put the constraints to a value: a failed assert makes it a miss, a check is noted on it."""
    for constraint in constraints:
        passed = _passes(constraint.expression, found)
        if constraint.kind == "check":
            found.checks = [*found.checks, (constraint, passed)]
        elif not passed:
            label = f" {constraint.label!r}" if constraint.label else ""
            return Miss(f"the assert{label} fails: {constraint.expression}", asserted=True)
    return found


def _passes(expression: str, found: Found) -> bool:
    try:
        return bool(_environment().eval_expr(expression, this=data(found)))
    except (TemplateError, TypeError, ValueError, ArithmeticError, re.error):
        return False


def data(found: Found) -> Any:
    """Return a value as plain data: dictionaries, lists, names."""
    if isinstance(found.parts, dict):
        return {name: data(part) for name, part in found.parts.items()}
    if found.parts is not None:
        return [data(part) for part in found.parts]
    return found.value
