"""The key under which a cache keeps an answer: a digest of everything that changes the answer.

1. What counts is written as one JSON array with a fixed place for each thing, so nothing can pass for something else.
2. The order of a dictionary counts, because it counts on the wire: models write the properties of a schema in its order.
   That of HTTP headers does not, nor does the case of their names.
3. Whether the answer is streamed does not count, nor do the options of the call.

The key may be a different one where the answer would have been the same: that costs a question. Never the other way round.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, cast

import msgspec

from callm.types import Model, OutputSpec, Request, Secret, Settings, reveal

FORMAT: Final = 1
"""The version of the format of keys. Another one makes every stored answer unreachable."""

_SIZE: Final = 32
_LEFT_OPEN: Final[tuple[Any, ...]] = (None, (), {})


class Identity(msgspec.Struct, frozen=True):
    """Which model answers.

    Attributes:
        digest: of what tells it from others.
        routes: whether it may choose by `Request.model`. An endpoint does not.
    """

    digest: str
    routes: bool


def identity_of(model: Model) -> Identity:
    """Return who answers at the bottom of `model`: for an endpoint its format, address and quirks, else its name."""
    models: Any = getattr(model, "models", None)
    inner: Any = getattr(model, "inner", None)
    if isinstance(models, tuple) and models:
        several = [identity_of(one) for one in cast("tuple[Model, ...]", models)]
        digests = [one.digest for one in several]
        if len(set(digests)) == 1:  # the same one again: a hedge
            return several[0]
        return Identity(_hash(_encode(("several", digests))), any(one.routes for one in several))
    if hasattr(inner, "stream"):
        inside = identity_of(inner)
        if not isinstance(preset := getattr(model, "settings", None), Settings):
            return inside
        return Identity(_hash(_encode(("preset", _settings(preset), inside.digest))), inside.routes)
    target: Any = getattr(model, "target", None)
    codec: Any = getattr(model, "codec", None)
    if target is None or codec is None:
        return Identity(_hash(_encode(("model", model.name))), routes=True)
    # Not its key, nor another secret: who asks is what the salt is for.
    headers = {name.lower(): value for name, value in target.headers.items() if not isinstance(value, Secret)}
    facts = ("endpoint", model.name, codec.format, target.base_url, target.quirks, sorted(headers.items()))
    return Identity(_hash(_encode(facts)), routes=False)


def cache_key(request: Request, identity: Identity, salt: str = "") -> str:
    """Return the key of the answer that the model of `identity` gives to `request`, 64 hexadecimal digits.

    Args:
        request: the request.
        identity: who answers.
        salt: what keeps apart those who must not see each other's answers.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError, ConfigError: a part of the request can't be written as JSON,
            so no codec can send it either.
    """
    output = request.output
    parts = (
        FORMAT,
        salt,
        identity.digest,
        request.model if identity.routes else None,
        request.messages,
        request.tools,
        None if output is None else _digest_of(output),
        request.described,
        _settings(request.settings),
    )
    return _hash(_encode(parts))


def _settings(settings: Settings) -> list[Any]:
    """Return what `settings` do not leave open. So a field that is added to them changes no key that does not use it."""
    if not settings.headers:
        return [settings, []]  # which omits defaults, too
    headers = {name.lower(): reveal(value) for name, value in settings.headers.items()}
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__ if name != "headers"}
    return [
        {name: value for name, value in fields.items() if value not in _LEFT_OPEN},
        sorted(headers.items()),
    ]


_digests: dict[int, tuple[weakref.ref[Any], str]] = {}
"""By the id of an output, as long as it lives: its schema is large, and the same for every call of a function."""


def _digest_of(output: OutputSpec) -> str:
    number = id(output)
    known = _digests.get(number)
    if known is not None and known[0]() is output:
        return known[1]
    policy = _encode_sorted(getattr(output, "policy", None))  # it holds a set, whose order is that of the process
    digest = _hash(_encode((output.name, output.json_schema("json"), output.describe(), policy.decode())))
    try:
        _digests[number] = weakref.ref(output, lambda _: _digests.pop(number, None)), digest
    except TypeError:  # somebody else's class with slots
        return digest
    return digest


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=_SIZE).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # of the caller's
    raise TypeError(f"{type(value).__name__} can't be written as JSON")


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode
_encode_sorted: Final = msgspec.json.Encoder(enc_hook=_plain, order="deterministic").encode
