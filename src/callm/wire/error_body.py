"""What an error body says, whatever its shape: the message, the codes, the ids.

Shapes that are read, also inside a list:
`{"error": {"message", "type", "code"}}`, `{"error": "text"}`, `{"code", "error": "text"}`, `{"message"}`,
`{"detail": text or list}`, `{"object": "error", "message"}`, `{"errors": [...]}`, `{"type": "error", "error": {...}}`,
`{"__type", "Message"}`.
What is no JSON (a page of a proxy, plain text, nothing) is described.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from callm.errors import quote
from callm.wire.untyped import NO_JSON, as_list, as_object, objects, text

REQUEST_ID_HEADERS: Final = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-generation-id",
    "mistral-correlation-id",
    "x-ms-request-id",
    "cf-ray",
)
_REQUEST_ID_FIELDS: Final = ("request_id", "requestId", "RequestId")
_MESSAGE_FIELDS: Final = (
    "message",
    "Message",
    "error",
    "detail",
    "errors",
    "msg",
    "error_message",
    "error_description",
)
_CODE_FIELDS: Final = ("code", "type", "status", "__type", "reason", "error_code")
_NUMBER_FIELDS: Final = ("code", "status", "statusCode", "status_code")
_NO_CODE: Final = frozenset({"", "error", "none", "null"})
_HTTP_ERROR: Final = re.compile(r"[45][0-9]{2}\Z")
_DEPTH: Final = 5
_WIDTH: Final = 8
_TITLE: Final = re.compile(r"<title[^>]{0,200}>([^<]{1,400})", re.IGNORECASE)
_TAG: Final = re.compile(r"<(?:style|script)\b[^>]{0,400}>[^<]{0,8000}|<[^>]{0,1000}>", re.IGNORECASE)
_PAGE: Final = 20_000


class ErrorFacts(NamedTuple):
    """What an error body says.

    Attributes:
        message: in words; empty if the body has none.
        code: the provider's code or type, as it wrote it; None if it gave none.
        words: every code, type and reason in the body, in lower case, the most telling first.
        number: a code of three digits in the body, which then means what an HTTP status does.
        request_id: the id of the request, if the body names it.
        error: the object that says what went wrong.
    """

    message: str
    code: str | None
    words: tuple[str, ...]
    number: int | None
    request_id: str | None
    error: dict[str, Any]


def read_error(payload: Any, headers: Mapping[str, str]) -> ErrorFacts:
    """Return what the JSON of an error body, and the header in which AWS names its errors, say."""
    error = _error_object(payload)
    outer = as_object(payload) or {}
    aws = _aws_name(headers.get("x-amzn-errortype", ""))
    words = dict.fromkeys(word.lower() for word in (*_codes(error), *_codes(outer), aws) if word)
    return ErrorFacts(
        message=_message(error) or _message(outer),
        code=_code(error) or aws or None,
        words=tuple(word for word in words if word not in _NO_CODE),
        number=next((number for field in _NUMBER_FIELDS if (number := _status(error.get(field)))), None),
        request_id=next((id_ for source in (outer, error) if (id_ := _first(source, _REQUEST_ID_FIELDS))), None),
        error=error,
    )


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of the request from the answer's headers, which have lower-case names."""
    for name in REQUEST_ID_HEADERS:
        if name in headers:
            value: Any = headers[name]  # of a transport that may be anybody's
            if isinstance(value, str) and value:
                return value
    return None


def parse_body(body: bytes) -> Any:
    """Return the JSON of a body as Python data, or None if it is none."""
    try:
        return msgspec.json.decode(body.strip())
    except NO_JSON:
        return None


def describe_body(body: bytes) -> str:
    """Return what a body that is no error object looks like, in at most about 200 characters."""
    page = body[:_PAGE].decode("utf-8", "replace").strip()
    if not page:
        return "the server answered with an empty body"
    if page[:1] == "<":
        title = _TITLE.search(page)
        return f"the server answered with an HTML page: {quote(title[1] if title else _TAG.sub(' ', page))}"
    return quote(page)


def _error_object(payload: Any) -> dict[str, Any]:
    for _ in range(_DEPTH):
        if items := as_list(payload):
            payload = items[0]
        elif outer := as_object(payload):
            inner = outer.get("error") or outer.get("errors")
            if not as_object(inner) and not objects(inner):
                return outer
            payload = inner
    return as_object(payload) or {}


def _message(error: Mapping[str, Any]) -> str:
    message = _first_message(error, _DEPTH)
    raw = text(as_object(error.get("metadata")) or {}, "raw")
    return (
        f"{message}: {raw}" if raw else message
    )  # OpenRouter: the message is "Provider returned error", `raw` says which


def _first_message(source: Mapping[str, Any], depth: int) -> str:
    return next((message for field in _MESSAGE_FIELDS if (message := _text(source.get(field), depth))), "")


def _text(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value.strip()
    if depth and (items := as_list(value)):
        return "; ".join(message for item in items[:_WIDTH] if (message := _text(item, depth - 1)))
    if depth and (source := as_object(value)):
        message = _first_message(source, depth - 1)
        place = as_list(source.get("loc"))  # FastAPI: {"loc": ["body", "stop"], "msg": "..."}
        return f"{'.'.join(map(str, place[:_WIDTH]))}: {message}" if place and message else message
    return ""


def _codes(error: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of `error`, those of its details before its own, which are broader."""
    for nested in (error.get("details"), error.get("innererror")):
        for detail in objects(nested) or objects([nested]):
            yield from (_word(detail.get(field)) for field in ("error_code", "reason", "code"))
    yield from (_word(error.get(field)) for field in _CODE_FIELDS)


def _code(error: Mapping[str, Any]) -> str | None:
    code, status = error.get("code"), error.get("status")
    if isinstance(code, int) and isinstance(status, str):  # Google: {"code": 429, "status": "RESOURCE_EXHAUSTED"}
        code = status
    if "code" not in error:
        code = next((word for field in _CODE_FIELDS if (word := _word(error.get(field)))), None)
    return quote(_word(code)) or None


def _word(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    try:
        word = str(value)
    except ValueError:  # an integer of more digits than Python likes to write
        return ""
    return "" if word.lower() in _NO_CODE else _aws_name(word)


def _aws_name(word: str) -> str:
    """Return `X` of `X:http://...` and `namespace#X`, as AWS writes the names of its errors."""
    return word.partition(":http")[0].rpartition("#")[2].strip()


def _status(value: Any) -> int | None:
    word = _word(value)
    return int(word) if _HTTP_ERROR.match(word) else None


def _first(source: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if isinstance(value := source.get(name), str) and value), None)
