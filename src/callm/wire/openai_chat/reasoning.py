"""The thoughts of a model, under all the names that servers give them, and the way back.

OpenAI itself sends none in this format. Others send a text (`reasoning_content`, `reasoning`, `thinking`), parts of the
content (Mistral), or a text and a list that must come back as it was (`reasoning_details`, OpenRouter).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callm.wire.untyped import objects, text

FORMAT: Final = "openai_chat"

DETAILS: Final = "reasoning_details"

_TEXTS: Final = ("reasoning_content", "reasoning", "thinking")
_NAMES: Final = frozenset({*_TEXTS, DETAILS})
_DETAIL_TEXTS: Final = ("text", "summary")
_GROWING: Final = ("text", "summary", "data")


def read_thoughts(delta: Mapping[str, Any]) -> str:
    """Return the thoughts of a delta or message once, however many of its fields repeat them."""
    if _NAMES.isdisjoint(delta):
        return ""
    texts = dict.fromkeys(thought for name in _TEXTS if (thought := read_text(delta.get(name))))
    if not texts:
        details = delta.get(DETAILS)
        return "".join(text(detail, name) for detail in objects(details) for name in _DETAIL_TEXTS)
    return "".join(texts)


def read_text(value: Any) -> str:
    """Return the text of a string, or of a list of text parts."""
    if isinstance(value, str):
        return value
    return "".join(text(part, "text") for part in objects(value))


def merge_details(details: list[dict[str, Any]], fragments: Any) -> None:
    """Add streamed `reasoning_details` to those that came before: what continues an entry is joined with it."""
    for fragment in objects(fragments):
        known = next((detail for detail in reversed(details) if _continues(fragment, detail)), None)
        if known is None:
            details.append(dict(fragment))
            continue
        for name, value in fragment.items():
            before = known.get(name)
            if name in _GROWING and isinstance(before, str) and isinstance(value, str):
                known[name] = before + value
            elif value is not None:
                known[name] = value


def _continues(fragment: Mapping[str, Any], detail: Mapping[str, Any]) -> bool:
    same_place = all(fragment.get(name) == detail.get(name) for name in ("type", "index"))
    if fragment.get("index") is None and "data" in fragment:  # a sealed entry comes whole
        return False
    return same_place and (None in (fragment.get("id"), detail.get("id")) or fragment["id"] == detail["id"])
