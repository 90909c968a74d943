from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.prompt.signature import MISSING, Signature

if TYPE_CHECKING:
    from decimal import Decimal as Money


@dataclass
class Review:
    text: str


def full(a: int, /, b: Review, c: str = "c", *, d: Money = 1, e=2) -> Annotated[list[Review], "note"]:  # type: ignore[assignment]
    """First line.

        indented {{ a }}
    last
    """


def test_a_signature_is_read():
    signature = Signature(full)
    assert signature.name == "full"
    assert signature.returns == Annotated[list[Review], "note"]
    assert signature.template == "First line.\n\n    indented {{ a }}\nlast"
    assert not signature.is_async
    assert list(signature.parameters) == ["a", "b", "c", "d", "e"]
    assert [it.annotation for it in signature.parameters.values()] == [int, Review, str, Any, Any]
    assert [it.default for it in signature.parameters.values()] == [MISSING, MISSING, "c", 1, 2]
    assert [it.positional for it in signature.parameters.values()] == [True, True, True, False, False]
    assert [it.named for it in signature.parameters.values()] == [False, True, True, True, True]
    assert repr(signature).startswith("Signature(full(a, b, c, d, e) -> ")


def test_an_async_function_and_a_given_prompt():
    async def ask(): ...

    signature = Signature(ask, "Say hi")
    assert signature.is_async
    assert signature.template == "Say hi"
    assert signature.returns is str


def test_annotations_may_name_what_is_local():
    @dataclass
    class Review:  # hides the one of the module
        stars: int

    class Holder:
        Inner = Literal["a"]

        def inside() -> list[Inner]:  # type: ignore[misc]  # what @staticmethod stands above
            """Prompt."""

        signature = Signature(inside)

    def answer() -> Review:
        """Prompt."""

    def outer() -> Signature:
        def inner() -> dict[str, Review]:
            """Prompt."""

        return Signature(inner)

    assert Signature(answer).returns is Review
    assert outer().returns == dict[str, Review]
    assert Holder.signature.returns == list[Literal["a"]]


def test_a_local_type_of_a_caller_is_not_taken_for_the_modules():
    def caller() -> Signature:
        Review = int  # noqa: F841, N806  # what must not be seen
        return Signature(of_module)

    assert caller().returns is Review


def of_module() -> Review:
    """Prompt."""


def test_a_wrapped_function_keeps_its_signature():
    def log(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    @log
    def ask(a: int) -> Review:
        """Prompt."""

    assert list(Signature(ask).parameters) == ["a"]
    assert Signature(ask).returns is Review


def unresolved() -> Missing:  # type: ignore[name-defined]  # noqa: F821  # on purpose
    """Prompt."""


def no_type() -> int[str]:  # type: ignore[type-arg]  # on purpose
    """Prompt."""


def stars(*texts):
    """Prompt."""


def options(**texts):
    """Prompt."""


def generator():
    """Prompt."""
    yield 1


def silent(): ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unresolved, r"return type 'Missing' of unresolved\(\) can't be resolved.*Declare it before"),
        (no_type, "is no type"),
        (stars, r"stars\(\) has \*texts: give each argument"),
        (options, r"options\(\) has \*\*texts"),
        (generator, r"has a yield.*\.stream\(\)"),
        (silent, r"silent\(\) has no prompt"),
        (Review, "must be declared with def or async def, not type"),
        (7, "not int"),
        (staticmethod(silent), "put the decorator below @staticmethod"),
    ],
)
def test_what_is_no_prompt_function_is_refused(function, message):
    with pytest.raises(ConfigError, match=message):
        Signature(function)


def test_a_prompt_must_be_text():
    with pytest.raises(ConfigError, match="must be a string, not int"):
        Signature(silent, 3)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ConfigError, match="no prompt"):
        Signature(silent, "  ")


def test_arguments_are_bound_with_defaults():
    signature = Signature(full)
    assert signature.bind((1, 2), {"d": 4}) == {"a": 1, "b": 2, "c": "c", "d": 4, "e": 2}
    assert signature.bind((1, 2, 3), {"d": 4, "e": 5}) == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"full\(\) is missing 'a', 'b'"),
        ((1,), {"b": 1, "nope": 1}, "no argument 'nope' to give by name; known are: b, c, d, e"),
        ((1, 2), {"b": 1}, "two values for the argument 'b'"),
        ((), {"a": 1, "b": 2}, "no argument 'a' to give by name"),
        ((1, 2, 3, 4), {}, "takes 3 arguments by position, not 4"),
    ],
)
def test_wrong_arguments_are_a_type_error(args, kwargs, message):
    with pytest.raises(TypeError, match=message):
        Signature(full).bind(args, kwargs)


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@given(st.lists(st.integers(), max_size=5), st.dictionaries(NAMES, st.integers(), max_size=5))
def test_binding_agrees_with_python(args, kwargs):
    try:
        bound = inspect.signature(full).bind(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            Signature(full).bind(args, kwargs)
        return
    bound.apply_defaults()
    assert Signature(full).bind(args, kwargs) == bound.arguments


def test_takes_one_says_whether_one_argument_makes_a_call():
    def one(a): ...
    def one_required(a, b=1): ...
    def two(a, b): ...
    def none(): ...
    def optional(a=1): ...

    taken = {f.__name__: Signature(f, "x").takes_one for f in (one, one_required, two, none, optional)}
    assert taken == {"one": True, "one_required": True, "two": False, "none": False, "optional": True}


def test_a_method_is_refused_and_a_static_one_is_not():
    with pytest.raises(ConfigError, match=r"Agent.ask\(\) is a method, and no template can show 'self'"):

        class Agent:
            @Signature
            def ask(self, question: str) -> str:
                """{{ question }}"""

    with pytest.raises(ConfigError, match="no template can show 'cls'"):

        class Other:
            @classmethod
            @Signature
            def ask(cls, question: str) -> str:
                """{{ question }}"""

    class Fine:
        @staticmethod
        @Signature
        def ask(question: str) -> str:
            """{{ question }}"""

    assert list(Fine.ask.parameters) == ["question"]
