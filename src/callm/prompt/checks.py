"""What can be known of a template before it is rendered. Each check raises `ConfigError` or does nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from minijinja import Environment

from callm.errors import ConfigError, quote
from callm.prompt.roles import check_role

_GLOBALS: Final = frozenset({"_", "ctx", "range", "dict", "namespace", "debug", "cycler", "joiner"})
_CTX: Final = frozenset({"output_format", "tags", "client"})
_VERBATIM: Final = re.compile(r"{#.*?#}|{%-?\s*raw\s*-?%}.*?{%-?\s*endraw\s*-?%}", re.DOTALL)
_TAG: Final = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
_STRING: Final = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_LOADING: Final = re.compile(r"{%-?\s*(include|import|from|extends)\b")
_COMPARES_NONE: Final = re.compile(r"[!=]=\s*none\b|\bnone\s*[!=]=", re.IGNORECASE)
_ROLE: Final = re.compile(r"""\b_\.(?:role|chat)\(\s*(?:role\s*=\s*)?(['"])(.*?)\1""")


def check_tags(source: str, where: str) -> None:
    """Refuse tags that load other templates, comparisons with none, and roles that do not exist."""
    live = _VERBATIM.sub(lambda match: "\n" * match.group().count("\n"), source)
    for match in _TAG.finditer(live):
        tag, line = match.group(), live.count("\n", 0, match.start()) + 1
        for role in _ROLE.finditer(tag):
            try:
                check_role(role.group(2))
            except ConfigError as error:
                raise ConfigError(f"{where}, line {line}: {error}") from None
        code = _STRING.sub("''", tag)
        if loading := _LOADING.match(code):
            raise ConfigError(f"{where}, line {line}: {{% {loading.group(1)} %}} is not available in prompts")
        if _COMPARES_NONE.search(code):
            raise ConfigError(f"{where}, line {line}: write `is none` or `is not none` in {quote(tag, 80)}")


def check_variables(environment: Environment, template: str, parameters: Collection[str], where: str) -> None:
    """Refuse variables that are no parameter, and a template that mentions none of its parameters."""
    names = environment.undeclared_variables_in_template(template)
    paths = environment.undeclared_variables_in_template(template, nested=True)
    for name in sorted(names - _GLOBALS - set(parameters)):
        raise ConfigError(f"{where} mentions {name!r}, which is no parameter: {_known(name, parameters)}")
    for path in sorted(paths):
        root, *rest = path.split(".")
        if root == "ctx" and rest and rest[0] not in _CTX and "ctx" not in parameters:
            raise ConfigError(f"{where} mentions ctx.{rest[0]}: {_known(rest[0], _CTX)}")
    if parameters and not names & set(parameters):
        first = next(iter(parameters))
        raise ConfigError(
            f"{where} mentions none of its parameters ({', '.join(parameters)}), so the model would not see them: "
            f"write {{{{ {first} }}}} where it belongs"
        )


def _known(name: str, known: Collection[str]) -> str:
    if not known:
        return "there are none"
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? Known are" if close else "known are"
    return f"{hint} {', '.join(sorted(known))}"
