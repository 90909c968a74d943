"""Messages to the top-level `system` and the turns of the Messages API.

1. Instructions go to `system`; a request of nothing else is sent as a user's turn.
2. The results of tools are a user's turn; turns of one role in a row become one, as the API makes of them anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

from callm.errors import ConfigError, UnsupportedError
from callm.types import Message, Text
from callm.wire.anthropic.blocks import Block, Notices, assistant_block, text_block, user_block


def encode_messages(
    messages: Iterable[Message], description: str, notices: Notices
) -> tuple[str | list[Block], list[Block]]:
    """Return `system`, empty where there are no instructions, and the turns.

    Args:
        messages: the conversation.
        description: of the output, for the end of the last message of the user; may be empty.
        notices: takes what could not be sent.
    """
    system, turns = _split(messages, notices)
    return _system(system), _turns(_described(turns, description) if description else turns, notices)


def _split(messages: Iterable[Message], notices: Notices) -> tuple[list[Block], list[Message]]:
    """Return the blocks of the instructions and the other messages; instructions alone become a user's message."""
    system: list[Block] = []
    turns: list[Message] = []
    for message in messages:
        if message.role not in {"system", "developer"}:
            turns.append(message)
            continue
        if turns:
            notices["instructions from the middle of the conversation were moved to its beginning"] = None
        system += _instructions(message, notices)
    if turns or not system:
        return system, turns
    return [], [Message("user", tuple(_as_text(block) for block in system))]


def _described(turns: list[Message], description: str) -> list[Message]:
    """Return `turns` with the description of the output at the end of the last message of the user."""
    at = next((at for at in reversed(range(len(turns))) if turns[at].role == "user"), None)
    if at is None:
        return [*turns, Message.user(description)]
    message = turns[at]
    match message.parts:
        case (*parts, Text(text=text, extra=extra)) if text and not extra:
            changed = Message("user", (*parts, Text(f"{text}\n\n{description}")), message.name, message.extra)
        case parts:
            changed = Message("user", (*parts, Text(description)), message.name, message.extra)
    return [*turns[:at], changed, *turns[at + 1 :]]


def _instructions(message: Message, notices: Notices) -> list[Block]:
    blocks: list[Block] = []
    for part in message.parts:
        if not isinstance(part, Text):
            raise UnsupportedError(
                f"a message of role {message.role} can hold only text here, not {type(part).__name__}"
            )
        if (block := text_block(part, notices)) is not None:
            blocks.append(block | message.extra)
    return blocks


def _as_text(block: Block) -> Text:
    return Text(block["text"], {name: value for name, value in block.items() if name not in {"type", "text"}})


def _system(blocks: list[Block]) -> str | list[Block]:
    if all(block.keys() == {"type", "text"} for block in blocks):
        return "\n\n".join(block["text"] for block in blocks)
    return blocks


def _turns(messages: Iterable[Message], notices: Notices) -> list[Block]:
    turns: list[Block] = []
    for message in messages:
        role, make = ("assistant", assistant_block) if message.role == "assistant" else ("user", user_block)
        content = [block for part in message.parts if (block := make(part, notices)) is not None]
        if not content:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1] = {**turns[-1], **message.extra, "role": role, "content": turns[-1]["content"] + content}
        else:
            turns.append({**message.extra, "role": role, "content": content})
    if not turns:
        raise ConfigError("the messages have no content that can be sent: every part is empty or was left out")
    for turn in turns:
        turn["content"] = _content(turn["content"])
    return turns


def _content(blocks: list[Block]) -> str | list[Block]:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return str(blocks[0]["text"])
    # The API wants the results of tools before anything else in their turn.
    return sorted(blocks, key=lambda block: block.get("type") != "tool_result")
