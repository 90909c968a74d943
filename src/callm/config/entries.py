"""What may stand in a configuration, and how a wrong one is refused: every error names the key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import msgspec

from callm.config.source import Source, find, read
from callm.errors import ConfigError, describe_type
from callm.policy.backoff import Backoff
from callm.policy.price import Price
from callm.types import Settings, Timeouts

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")
_AT: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9_][\w.-]*\Z")
_TABLES: Final = ("clients", "default", "timeouts", "settings", "retry_budget", "prices", "budgets")


class RateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rate limiter allows.

    Attributes:
        requests_per_minute: requests in any 60 seconds.
        tokens_per_minute: tokens likewise, of prompts and answers together.
        burst: how many requests may go at once; None allows those of a whole minute.
        concurrency: how many requests may be under way.
        max_wait: the most seconds a request stands in line.
        learn: whether the provider's own rate limit headers are believed.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst: float | None = None
    concurrency: int | None = None
    max_wait: float | None = None
    learn: bool = False


class Breaking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a circuit breaker opens, and for how long. Times are seconds.

    Attributes:
        failures: how many failures in a row open it; None counts only their rate.
        rate: the share of failed calls in `window` that opens it, too; None counts only failures in a row.
        minimum: how many calls `window` must have for that.
        window: how long a call counts.
        cooldown: how long it stays open before one call may probe; it doubles each time that fails.
        maximum: up to how long.
    """

    failures: int | None = 5
    rate: float | None = None
    minimum: int = 10
    window: float = 60.0
    cooldown: float = 30.0
    maximum: float = 300.0


class Caching(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where answers are kept.

    Attributes:
        path: the file of an SQLite database; empty keeps them in memory.
        ttl: how many seconds an answer is good for; None for ever.
        salt: part of the key: tenants with different salts never share an answer.
        timing: whether a hit is replayed at the pace at which it came.
    """

    path: str = ""
    ttl: float | None = None
    salt: str = ""
    timing: bool = False


class Hedging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a second attempt is made beside the first.

    Attributes:
        after: seconds without content; None learns it from the calls before.
        percentile: which of their times to the first content counts then, between 0 and 1.
    """

    after: float | None = None
    percentile: float = 0.95


class Spending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cap that no call passes.

    Attributes:
        tokens: the most tokens, of prompts and answers together.
        dollars: the most US dollars; needs the prices of all models.
        period: after what the count begins anew, in UTC; None never does.
        tag: the tag of whose values each has a cap of its own; None has one for all.
    """

    tokens: float | None = None
    dollars: float | None = None
    period: Literal["hour", "day", "month"] | None = None
    tag: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named client: a model, or a strategy over others, and what is put around it.

    Attributes:
        model: `provider/model`.
        fallback, round_robin: names of other entries, or `provider/model`.
        weights, start: of a round-robin.
        api_key_env: the environment variable that holds the key.
        base_url: another address for the provider.
        settings: how it should answer, where the request leaves that open.
        timeouts: connect, pool, first_content, between_content in seconds; `false` waits for ever.
        retry: how often a failed attempt is followed by another, or a table of `Backoff`.
        rate_limit, breaker, cache, hedge: see there; `true` takes the defaults.
        continue_length: how often an answer cut by the token limit is asked to go on.
        prefill: whether the model then goes on from its own turn; otherwise it is told to. Many models refuse the former.
        check_output: whether an answer of the wrong type is a failed attempt, for calls that are not streamed.
    """

    model: str | None = None
    fallback: tuple[str, ...] = ()
    round_robin: tuple[str, ...] = ()
    weights: tuple[float, ...] | None = None
    start: int = 0
    api_key_env: str | None = None
    base_url: str | None = None
    settings: dict[str, Any] = {}
    timeouts: dict[str, float | Literal[False]] = {}
    retry: int | Backoff | None = None
    rate_limit: RateLimits | None = None
    breaker: bool | Breaking = False
    cache: bool | Caching = False
    hedge: bool | Hedging = False
    continue_length: int = 0
    prefill: bool = False
    check_output: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        clients: the entries by name.
        default: the entry for requests that name none.
        timeouts: `Timeouts` of all calls, `total` among them.
        settings: how all models should answer, where neither request nor entry says so.
        retry_budget: ratio, floor and per_second of the budget that all retries share.
        prices: what tokens cost, by `provider/model`.
        budgets: the caps, each of which holds for all calls.
        name: how messages name it.
    """

    clients: Mapping[str, Entry] = {}
    default: str | None = None
    timeouts: Timeouts | None = None
    settings: Settings | None = None
    retry_budget: Mapping[str, float] = {}
    prices: Mapping[str, Price] = {}
    budgets: tuple[Spending, ...] = ()
    name: str = "config"


def load(source: Source) -> Config:
    """Return the configuration of a dictionary or TOML file.

    Raises:
        ConfigError: something in it is wrong; the message names the key.
    """
    tables, name = read(source)
    _check_known(tables, _TABLES, name)
    given = tables.get("clients", {})
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name}: clients must be a table, not {describe_type(given)}")
    named = cast("Mapping[str, Any]", given)
    clients = {key: _entry(value, f"{name}: clients.{key}", key) for key, value in named.items()}
    prices = _convert(tables.get("prices", {}), dict[str, dict[str, float]], f"{name}: prices")
    config = Config(
        clients=clients,
        default=_convert(tables.get("default"), str | None, f"{name}: default"),
        timeouts=None if "timeouts" not in tables else _timeouts(tables["timeouts"], f"{name}: timeouts"),
        settings=None if "settings" not in tables else settings(tables["settings"], f"{name}: settings"),
        retry_budget=_convert(tables.get("retry_budget", {}), dict[str, float], f"{name}: retry_budget"),
        prices={model: _price(price, f"{name}: prices.{model!r}") for model, price in prices.items()},
        budgets=_convert(tables.get("budgets", ()), tuple[Spending, ...], f"{name}: budgets"),
        name=name,
    )
    _check_known(config.retry_budget, ("ratio", "floor", "per_second"), f"{name}: retry_budget")
    if config.default is not None and "/" not in config.default:
        _check_known((config.default,), tuple(clients), f"{name}: default")
    return config


def open_config(source: Source | bool | None) -> Config:  # noqa: FBT001  # as `Client` has it
    """Return the config of `source`; for True the nearest file, and for None or False nothing.

    Raises:
        ConfigError: something in it is wrong, or there is no file for True.
    """
    if source is None or source is False:
        return Config()
    if source is not True:
        return load(source)
    path = find()
    if path is None:
        raise ConfigError("config=True: no callm.toml, and no pyproject.toml with [tool.callm], from here upwards")
    return load(path)


def _price(table: Mapping[str, float], where: str) -> Price:
    _check_known(table, Price.__struct_fields__, where)
    return cast("Price", _convert(table, Price, where))


def _entry(value: Any, where: str, name: Any) -> Entry:
    if not isinstance(name, str) or not _NAME.match(name):
        raise ConfigError(f"{where}: the name of a client has letters, digits, '_', '-' and '.' alone")
    entry: Entry = _convert(value, Entry, where)
    kinds = [kind for kind in ("model", "fallback", "round_robin") if getattr(entry, kind)]
    if len(kinds) != 1:
        found = f"it has {' and '.join(kinds)}" if kinds else "it has none of them"
        raise ConfigError(f"{where} needs one of model, fallback and round_robin: {found}")
    if kinds != ["round_robin"] and (entry.weights is not None or entry.start):
        raise ConfigError(f"{where}: weights and start belong to round_robin")
    if kinds != ["model"]:
        for key in ("api_key_env", "base_url", "rate_limit", "breaker", "cache", "hedge"):
            if getattr(entry, key):
                raise ConfigError(f"{where}.{key} belongs to each of the models, not to a strategy over them")
    if isinstance(entry.retry, int):
        _convert({"retries": entry.retry}, Backoff, f"{where}.retry")
    settings(entry.settings, f"{where}.settings")
    _check_known(entry.timeouts, ("connect", "pool", "first_content", "between_content"), f"{where}.timeouts")
    _timeouts(entry.timeouts, f"{where}.timeouts")
    return entry


def settings(table: Mapping[str, Any], where: str) -> Settings:
    """Return the settings that a table names.

    Raises:
        ConfigError: something in it is wrong.
    """
    _check_known(table, Settings.__struct_fields__, where)
    try:
        return Settings(**table)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _timeouts(table: Any, where: str) -> Timeouts:
    seconds: dict[str, Any] = _convert(table, dict[str, float | Literal[False]], where)
    _check_known(seconds, Timeouts.__struct_fields__, where)
    try:
        return Timeouts(**{key: None if value is False else value for key, value in seconds.items()})
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _convert(value: Any, kind: Any, where: str) -> Any:
    """Turn plain data into `kind`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), kind, where)) from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _explain(message: str, kind: Any, where: str) -> str:
    at = _AT.search(message)
    path = at["path"] if at else ""
    place = f"{where}.{path}" if path and not path.startswith("[") else f"{where}{path}"
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return f"{place}: {message[: at.start()] if at else message}".replace("`", "")
    inside = kind if not path else _inner(kind, path)
    return f"{place}: unknown key {unknown['field']!r}{_hint(unknown['field'], inside)}"


def _inner(kind: Any, path: str) -> Any:
    """Return the struct that a key of `kind` may hold."""
    hints = {field.name: field.type for field in msgspec.structs.fields(kind)} if _is_struct(kind) else {}
    options = getattr(hints.get(path.partition(".")[0], kind), "__args__", (kind,))
    return next((option for option in options if _is_struct(option)), None)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _hint(field: str, kind: Any) -> str:
    return suggestion(field, kind.__struct_fields__) if _is_struct(kind) else ""


def suggestion(word: str, known: Any) -> str:
    """Return what to say of an unknown `word`: the known one it is close to, or all of them."""
    names = sorted(known)
    import difflib  # noqa: PLC0415  # 2 ms, for a message

    close = difflib.get_close_matches(word, names, 1, 0.6)
    return f": did you mean {close[0]!r}?" if close else f": known are {', '.join(names) or 'none'}"


def _check_known(given: Any, known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}{suggestion(str(key), known)}")
