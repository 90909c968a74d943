"""A string that must not be seen: keys, tokens, authorization headers."""

from __future__ import annotations

from callm.errors import ConfigError


class Secret:
    """Hold a key without showing it: `repr`, `str`, logs, tracebacks and pickles see a mask; `reveal()` sees the key.

    A pickled secret arrives without its value, and `reveal()` then says so.
    """

    __slots__ = ("_prefix", "_prefixed", "_value")

    def __init__(self, value: str | None, prefix: str = "") -> None:
        """Wrap `value`; `prefix` (for example `"Bearer "`) is shown and prepended when revealed."""
        self._value = value
        self._prefix = prefix
        self._prefixed: Secret | None = None

    def reveal(self) -> str:
        """Return the prefix and the key.

        Raises:
            ConfigError: the secret went through pickle, which drops the value.
        """
        if self._value is None:
            raise ConfigError("this key was dropped when its holder was pickled: set it again where it is used")
        return self._prefix + self._value

    def prefixed(self, prefix: str) -> Secret:
        """Return the same key behind `prefix`: the same object again where it is asked for again, which compares at once."""
        known = self._prefixed
        if known is None or known._prefix != prefix:
            known = self._prefixed = Secret(self._value, prefix)
        return known

    def __repr__(self) -> str:
        return f"{self._prefix}***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._value, self._prefix) == (other._value, other._prefix)

    def __hash__(self) -> int:
        return hash((self._value, self._prefix))

    def __copy__(self) -> Secret:
        """Return the same secret: it never changes, and only a pickle loses it."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        """Return the same secret: it never changes, and only a pickle loses it."""
        del memo
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[None, str]]:
        return (Secret, (None, self._prefix))


def reveal(value: str | Secret) -> str:
    """Return the plain text of a header value that may be a secret."""
    return value.reveal() if isinstance(value, Secret) else value
