"""A prompt template: compiled once, rendered to messages.

The engine is minijinja, with the rules of BAML prompts: dedented and stripped source, blocks that leave no empty lines,
no escaping, no loading of other templates. Differences, because a prompt with a hole in it is a mistake: printing an
undefined value is an error (`x.y | default("")` where it may be missing), and roles that do not exist are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal, NamedTuple, Self, cast

from minijinja import Environment, TemplateError, pass_state

from callm.errors import ConfigError, quote
from callm.prompt.checks import check_tags, check_variables
from callm.prompt.roles import Marks, Speaker
from callm.prompt.values import Reader, is_none, show, to_json
from callm.types import Message, Role

MAX_PROMPT: Final = 10_000_000
"""How many characters a rendered prompt may have."""

FUEL: Final = 10_000_000
"""How many steps a render may take: about half a second."""

_NAME: Final = "prompt"
_BUDGET: Final = "callm budget"  # no template can mention a name with a space
_PYTHON_ERRORS: Final = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Prompt(NamedTuple):
    """A rendered prompt. `described` tells whether it holds the description of the output."""

    messages: tuple[Message, ...]
    described: bool


class Template:
    """A compiled prompt. Safe to render from several threads at once.

    Attributes:
        source: the text, dedented and stripped.
        variables: the names that the template takes from its arguments.
    """

    def __init__(
        self,
        source: str,
        parameters: Collection[str] | None = None,
        *,
        name: str = "",
        default_role: Role = "user",
    ) -> None:
        """Compile `source`.

        Args:
            source: the template.
            parameters: the names of the arguments there will be; None leaves the template's variables unchecked.
            name: the function whose prompt it is, for messages.
            default_role: who says what stands before the first role.

        Raises:
            ConfigError: the syntax is wrong, or a variable is no parameter.
        """
        self.source = dedent(source)
        self._where = f"the prompt of {name}()" if name else "the prompt"
        self._default_role: Role = default_role
        self._environment = _environment()
        check_tags(self.source, self._where)
        try:
            self._environment.add_template(_NAME, self.source)
        except TemplateError as error:
            raise ConfigError(f"{self._where} is no valid template: {_explain(error, self.source)}") from error
        if parameters is not None:
            check_variables(self._environment, _NAME, parameters, self._where)
        self.variables = frozenset(self._environment.undeclared_variables_in_template(_NAME))

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    def render(
        self,
        arguments: Mapping[str, Any],
        *,
        nonce: str = "",
        describe: Callable[..., str] | None = None,
        tags: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
    ) -> Prompt:
        """Return the messages.

        Args:
            arguments: the values of the parameters; those that the template does not mention are not looked at.
            nonce: any text; one that nobody can guess takes the last way to forge a role: a template that turns an
                argument's number into a character.
            describe: gives `ctx.output_format`; options written in the template are its keyword arguments.
            tags: `ctx.tags`.
            client: `ctx.client`: name, provider and so on.

        Raises:
            ConfigError: a value has no text, an undefined value is printed, or the prompt grows too large.
        """
        reader = Reader()
        reader.strings.append(self.source)
        values: dict[str, Any] = {
            name: reader.read(arguments[name], name) for name in self.variables if name in arguments
        }
        facts = {"tags": reader.read(tags or {}, "ctx.tags"), "client": reader.read(client or {}, "ctx.client")}
        marks = reader.marks = Marks(reader.strings, nonce)
        context = _Context(describe, marks, **facts)
        text = self._render({"_": Speaker(marks), "ctx": context, **values, _BUDGET: _Budget()})
        if len(text) > MAX_PROMPT:
            raise _too_long()
        messages = marks.split(text, self._default_role)
        if not messages:
            raise ConfigError(f"{self._where} came out empty: every role in it is followed by nothing")
        return Prompt(messages, context.described)

    def _render(self, values: dict[str, Any]) -> str:
        try:
            return self._environment.render_template(_NAME, **values)
        except ConfigError as error:
            raise ConfigError(f"{self._where}: {error}") from error
        except _PYTHON_ERRORS as error:
            # The engine's error shows the arguments: `from None` keeps them out of tracebacks.
            raise ConfigError(f"{self._where} can't be rendered: {_explain(error, self.source)}") from None


class _Budget:
    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_PROMPT

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _too_long()


class _OutputFormat(str):
    """The description of the output: a string to print, test or filter, and a function when options are given."""

    __slots__ = ("__dict__",)
    _describe: Callable[..., str]

    def __new__(cls, describe: Callable[..., str]) -> Self:
        self = super().__new__(cls, describe())
        self._describe = describe
        return self

    def __call__(self, *args: Any, **options: Any) -> str:
        if args:
            raise ConfigError("ctx.output_format() may only be called with named arguments")
        return self._describe(**options)


class _Context:
    """What templates know as `ctx`."""

    __slots__ = ("_describe", "_marks", "client", "described", "tags")

    def __init__(self, describe: Callable[..., str] | None, marks: Marks, *, tags: Any, client: Any) -> None:
        self._describe = describe
        self._marks = marks
        self.tags = tags
        self.client = client
        self.described = False

    @property
    def output_format(self) -> _OutputFormat:
        self.described = self._describe is not None
        return _OutputFormat(self._text)

    def _text(self, **options: Any) -> str:
        return self._marks.shield(self._describe(**options)) if self._describe else ""


@pass_state
def _print(state: Any, value: Any) -> Any:
    text = show(value)
    if isinstance(text, str) and (budget := state.lookup(_BUDGET)) is not None:
        budget.spend(len(text))
    return text


def _environment() -> Environment:
    filters: dict[str, Callable[..., Any]] = {"tojson": to_json}
    return Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        undefined_behavior=cast("Literal['strict']", "semi_strict"),  # what the stubs do not name yet
        finalizer=_print,
        fuel=FUEL,
        filters=filters,
        tests={"none": is_none},
    )


def dedent(text: str) -> str:
    """Drop the indentation that all lines which are not blank share, then strip the whole."""
    lines = text.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines).strip()


def _explain(error: Exception, source: str) -> str:
    """Return what went wrong and the line where it did."""
    if not isinstance(error, TemplateError):
        return quote(str(error))
    lines = source.split("\n")
    line = min(error.line or 1, len(lines))
    return f"{quote(error.detail or error.message)}\n  line {line}: {quote(lines[line - 1], 120)}"


def _too_long() -> ConfigError:
    return ConfigError(f"the prompt grew over {MAX_PROMPT:,} characters")
