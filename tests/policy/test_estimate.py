from types import MappingProxyType

import pytest

from callm.parse.output import Output
from callm.policy.estimate import DEFAULT_OUTPUT, estimate, estimate_input, estimate_output, size_of
from callm.types import (
    File,
    Image,
    Message,
    Opaque,
    Reasoning,
    Request,
    Settings,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100_000)


def asked(*parts, **fields):
    return Request((Message("user", parts),), **fields)


def test_four_characters_are_a_token_and_a_message_is_a_little_more():
    assert estimate_input(asked(Text("x" * 400))) == 104
    assert estimate_input(asked(Text("x" * 401))) == 105
    assert estimate_input(Request((Message.user("x" * 400), Message.assistant("x" * 400)))) == 208


def test_other_scripts_count_by_their_bytes():
    assert size_of("語" * 4) == 12
    assert size_of("\ud800") == 3


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (Image(data=PNG), 1000),
        (File(data=PNG), 3000),
        (ToolCall("1", "f", "x" * 39), 10),
        (ToolResult("1", "x" * 40), 10),
        (ToolResult("1", (Text("x" * 40), Image(data=PNG))), 1010),
        (Reasoning("x" * 40), 10),
        (Opaque("anthropic", {"a": "x" * 32}), 10),
    ],
)
def test_every_part_counts(part, tokens):
    assert estimate_input(asked(part)) == 4 + tokens


def test_tools_and_the_schema_count_unless_the_prompt_describes_it_already():

    plain = estimate_input(asked(Text("x")))
    tool = Tool("look_up", "Look up", MappingProxyType({"type": "object", "default": {1.5, 2.5}}))
    assert estimate_input(asked(Text("x"), tools=(tool,))) > plain + 5
    output = Output(list[int])
    assert estimate_input(asked(Text("x"), output=output)) > plain + 5
    assert estimate_input(asked(Text("x"), output=output, described=True)) == plain


def test_the_answer_may_be_as_long_as_it_is_allowed_to_be():
    assert estimate_output(asked(Text("x"))) == DEFAULT_OUTPUT
    assert estimate_output(asked(Text("x"), settings=Settings(max_tokens=7))) == 7
    assert estimate_output(asked(Text("x"), settings=Settings(extra={"max_completion_tokens": 9}))) == 9
    assert estimate(asked(Text("x" * 4), settings=Settings(max_tokens=7))) == 12
