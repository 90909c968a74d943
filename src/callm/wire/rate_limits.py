"""What a provider says is left of its limits, in the headers of any answer. Pure.

| who | names |
|---|---|
| OpenAI, Azure, Groq | `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, also `-project-tokens` |
| Anthropic | `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}` |
| Mistral | `x-ratelimit-{limit,remaining}-tokens-minute` |
| Together, OpenRouter | `x-ratelimit-{limit,remaining,reset}`, of requests |

Resets are durations, seconds, times, or milliseconds since 1970: `parse_reset` reads all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from callm.types.limits import Remaining
from callm.wire.retry_after import parse_duration, parse_reset, parse_time

_REQUESTS: Final = ("requests", "", "requests-minute")
# Anthropic's `tokens` is whichever of its limits is the tightest just now; where only the one of the prompt is sent, it counts.
_TOKENS: Final = ("tokens", "project-tokens", "tokens-minute", "input-tokens")


def remaining(headers: Mapping[str, str], now: float | None = None) -> Remaining | None:
    """Return what is left, or None if the headers do not say.

    Args:
        headers: the answer's headers, with lower-case names.
        now: seconds since 1970, for resets that are a time; the header `date` wins.
    """
    found = {name: value for name, value in headers.items() if "ratelimit" in name}
    if not found:
        return None
    server = parse_time(headers.get("date", ""))
    now = now if server is None else server
    requests, requests_reset = _tightest(found, _REQUESTS, now)
    tokens, tokens_reset = _tightest(found, _TOKENS, now)
    if requests is None and tokens is None:
        return None
    return Remaining(requests, requests_reset, tokens, tokens_reset)


def _tightest(
    headers: Mapping[str, str], names: tuple[str, ...], now: float | None
) -> tuple[float | None, float | None]:
    """Return the smallest number that is left under one of the names, and its reset."""
    found: list[tuple[float, float | None]] = []
    for name in names:
        left = parse_duration(_value(headers, name, "remaining"))
        if left is not None:
            found.append((left, parse_reset(_value(headers, name, "reset"), now)))
    return min(found, key=lambda pair: pair[0], default=(None, None))


def _value(headers: Mapping[str, str], what: str, kind: str) -> str:
    end = f"-{what}" if what else ""
    theirs = headers.get(f"x-ratelimit-{kind}{end}")
    return theirs if theirs is not None else headers.get(f"anthropic-ratelimit{end}-{kind}", "")
