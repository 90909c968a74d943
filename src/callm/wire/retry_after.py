"""How long a provider asks to wait: every spelling of it, to seconds. Pure: the time is an argument.

Sources in order of trust, the first that can be read wins:

1. the headers `retry-after-ms` and `retry-after`: a number, a duration, or an HTTP date;
2. the body: Google's RetryInfo, fields such as `retry_after`;
3. the message: "try again in 41.7s";
4. the rate limit headers: when what is used up comes back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from callm.wire.untyped import as_object, objects

_NUMBER: Final = re.compile(r"\s*([+-]?[0-9]{1,400}(?:\.[0-9]{0,20})?(?:[eE]\+?[0-9]{1,2})?)\s*\Z")
_SPELLINGS: Final = (
    (86400.0, "days day d"),
    (3600.0, "hours hour hrs hr h"),
    (60.0, "minutes minute mins min m"),
    (1.0, "seconds second secs sec s"),
    (1e-3, "milliseconds millisecond msec ms"),
    (1e-6, "microseconds us \u00b5s \u03bcs"),  # Go writes a duration with either sign of micro
    (1e-9, "nanoseconds ns"),
)
_UNITS: Final = {word: seconds for seconds, words in _SPELLINGS for word in words.split()}
_UNIT: Final = "|".join(sorted(_UNITS, key=len, reverse=True))
_FLAGS: Final = re.IGNORECASE | re.ASCII  # without ASCII, an s also matches the long s, which is no key of the table
_PIECE: Final = rf"[0-9]{{1,20}}(?:\.[0-9]{{1,20}})?\s?(?:{_UNIT})(?![a-z])"
_PIECES: Final = re.compile(rf"([0-9]{{1,20}}(?:\.[0-9]{{1,20}})?)\s?({_UNIT})(?![a-z])", _FLAGS)
_DURATION: Final = re.compile(rf"\s*(?:{_PIECE})+\s*\Z", _FLAGS)
_HINT: Final = re.compile(
    rf"\b(?:again|retry|retrying|wait)(?: in| after| for)?(?: about)? ({_PIECE}(?:(?:,? and |, | )?{_PIECE}){{0,4}})",
    _FLAGS,
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK: Final = r"(?P<clock>\d\d:\d\d:\d\d)"
_HTTP_DATES: Final = (  # RFC 9110, 5.6.7: the form of today and the two of the past
    re.compile(
        rf"\w{{3,9}}, (?P<day>\d\d)[ -](?P<month>\w{{3}})[ -](?P<year>\d{{2,4}}) {_CLOCK} (?:GMT|UTC)\Z", re.ASCII
    ),
    re.compile(rf"\w{{3}} (?P<month>\w{{3}}) {{1,2}}(?P<day>\d{{1,2}}) {_CLOCK} (?P<year>\d{{4}})\Z", re.ASCII),
)
_BODY_FIELDS: Final = (
    ("retryDelay", 1.0),  # google.rpc.RetryInfo
    ("retry_after_ms", 1e-3),
    ("retry_after", 1.0),
    ("retry_after_seconds", 1.0),
    ("retryAfter", 1.0),
)
_EPOCH_MILLISECONDS: Final = 1e11  # a reset above this is a time in milliseconds (OpenRouter) ...
_EPOCH_SECONDS: Final = 1e9  # ... above this a time in seconds, below it a number of seconds
_HINT_LENGTH: Final = 4000
_WIDTH: Final = 8


def retry_after(
    headers: Mapping[str, str],
    payload: Any = None,
    message: str = "",
    now: float | None = None,
    *,
    limits: bool = True,
) -> float | None:
    """Return the seconds the provider asks to wait, or None if it does not say. Never negative, never infinite.

    Args:
        headers: the answer's headers, with lower-case names.
        payload: its body as Python data.
        message: the error's message.
        now: seconds since 1970, for the spellings that name a time; without it the header `date` is used.
        limits: whether the rate limit headers count, which come with every answer.
    """
    now = parse_time(headers.get("date", "")) if now is None else now
    waits = _asked(headers, payload, message[:_HINT_LENGTH], now)
    wait = next((seconds for seconds in waits if seconds is not None), None)
    if wait is None and limits:
        return _reset({**_body_headers(payload), **headers}, now)
    return wait


def parse_duration(text: str) -> float | None:
    """Return the seconds of `6m0s`, `850ms`, `2 minutes` or a plain number of seconds; None if it is none of them."""
    if number := _NUMBER.match(text):
        return _sound(float(number[1]))
    if not _DURATION.match(text):
        return None
    return _sound(_sum(text))


def parse_time(text: str) -> float | None:
    """Return the seconds since 1970 of an HTTP date or an RFC 3339 time; None if it is neither."""
    text = text.strip()
    for pattern in _HTTP_DATES:
        if found := pattern.match(text):
            text = _rfc3339(**found.groupdict())
            break
    if "-" not in text or ":" not in text:  # dates without a time, and what only looks like a number
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def parse_reset(value: str, now: float | None) -> float | None:
    """Return in how many seconds a limit comes back, as a reset header says it: a duration, or a time in any spelling."""
    seconds = parse_duration(value)
    if seconds is None:
        return _until(parse_time(value), now)
    if seconds >= _EPOCH_MILLISECONDS:
        return _until(seconds / 1000, now)
    return _until(seconds, now) if seconds >= _EPOCH_SECONDS else seconds


def _rfc3339(day: str, month: str, year: str, clock: str) -> str:
    number = next((number for number, name in enumerate(_MONTHS, 1) if name == month.lower()), 0)
    century = "" if len(year) == len("1994") else "20"
    return f"{century}{year}-{number:02}-{int(day):02}T{clock}Z"


def _asked(headers: Mapping[str, str], payload: Any, message: str, now: float | None) -> Iterator[float | None]:
    if milliseconds := _NUMBER.match(headers.get("retry-after-ms", "")):
        yield _sound(float(milliseconds[1]) / 1000)
    if header := headers.get("retry-after"):
        yield parse_duration(header)
        yield _until(parse_time(header), now)
    for mapping in _mappings(payload):
        for field, factor in _BODY_FIELDS:
            yield _field(mapping.get(field), factor)
    if hint := _HINT.search(message):
        yield _sound(_sum(hint[1]))


def _reset(headers: Mapping[str, str], now: float | None) -> float | None:
    """Return when the limit that is used up comes back; if no header says which one is, the first that does."""
    used_up: list[float] = []
    unknown: list[float] = []
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        wait = parse_reset(value, now)
        remaining = headers.get(name.replace("reset", "remaining"))
        if wait is not None and remaining is None:
            unknown.append(wait)
        elif wait is not None and parse_duration(str(remaining)) == 0:
            used_up.append(wait)
    return max(used_up) if used_up else min(unknown, default=None)


def _mappings(payload: Any, depth: int = 3) -> Iterator[dict[str, Any]]:
    """Yield the objects of an error body that may hold a wait: the body, its error, the error's details."""
    for mapping in objects(payload)[:_WIDTH] or objects([payload]):
        yield mapping
        if depth:
            for name in ("error", "details", "metadata"):
                yield from _mappings(mapping.get(name), depth - 1)


def _body_headers(payload: Any) -> dict[str, str]:
    """Return the headers of its own provider that OpenRouter quotes in `error.metadata.headers`."""
    for mapping in _mappings(payload):
        if headers := as_object(mapping.get("headers")):
            return {name.lower(): str(value) for name, value in headers.items()}
    return {}


def _field(value: Any, factor: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = parse_duration(value) if isinstance(value, str) else _sound(float(value))
    except OverflowError:
        return None
    return None if seconds is None else seconds * factor


def _sum(text: str) -> float:
    pieces: list[tuple[str, str]] = _PIECES.findall(text)
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in pieces)


def _until(moment: float | None, now: float | None) -> float | None:
    return None if moment is None or now is None else _sound(max(0.0, moment - now))


def _sound(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
