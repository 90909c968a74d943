"""A hard cap in tokens or money: for all calls together, for each value of a tag, for each hour, day or month.

1. What one attempt may cost is reserved before it is sent, so calls that run at once can't pass the cap together.
2. An attempt that failed, or was cut and goes on, is charged when the next one is announced; where that would pass the cap, the
   call ends before the next one is sent.
3. At the end the reservation becomes what was really spent: for streams that were left, and where the provider did not say,
   by estimate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from callm.errors import BudgetExceeded, CallmError, ConfigError
from callm.middleware.meter import Meter
from callm.middleware.preset import Preset
from callm.policy.budget import Account, Ledger, Period
from callm.policy.estimate import estimate_input, estimate_output
from callm.policy.price import Price, price_of
from callm.types import AttemptFailed, Continued, Restarted, Usage
from callm.types.locks import lock_across_forks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callm.types import Events, Model, Request

_LOCK: Final = lock_across_forks()
_Leaf: TypeAlias = tuple[str, tuple[Preset, ...]]
_ANOTHER: Final = frozenset({AttemptFailed, Continued, Restarted})
"""At the end of a batch, these say that another request follows."""


@dataclass(eq=False, kw_only=True)
class Cap:
    """The state of one cap, shared by all that hold it. Exactly one of `tokens` and `dollars` is given.

    Attributes:
        tokens: how many tokens, of prompts and answers together.
        dollars: how many US dollars; needs `prices`.
        period: `hour`, `day` or `month`, in UTC; None for a cap that never begins anew.
        tag: the name of a tag of the call's options: each value of it has the cap for itself, and the calls without it have
            it together. None: all calls have it together.
        prices: the price of each model that may answer, by `provider/model` or by the model's name.
        clock: the time in seconds since 1970.
    """

    tokens: float | None = None
    dollars: float | None = None
    period: Period | None = None
    tag: str | None = None
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price], repr=False)
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def __post_init__(self) -> None:
        if (self.tokens is None) == (self.dollars is None):
            raise ConfigError("a cap needs exactly one of tokens= and dollars=")
        cap = self.tokens if self.dollars is None else self.dollars
        self._ledger = Ledger(0 if cap is None else cap, self.period)

    def used(self, value: str | None = None) -> float:
        """Return what is used in this period: of `value`, if the cap is for each value of a tag."""
        with _LOCK:
            return self._ledger.account(self.clock(), value).used

    def reserved(self, value: str | None = None) -> float:
        """Return what the calls under way have reserved."""
        with _LOCK:
            return self._ledger.account(self.clock(), value).reserved

    def check(self, models: Sequence[str]) -> None:
        """Raise `ConfigError` unless the price of every model is known, where it is needed."""
        unknown = [name for name in models if self.dollars is not None and price_of(name, self.prices) is None]
        if unknown:
            raise ConfigError(
                f"a budget in dollars needs the price of {unknown[0]!r}: add it to prices=, for example "
                f"{{{unknown[0]!r}: Price(input=0.25, output=2.0)}}, in dollars for a million tokens"
            )

    def cost(self, usage: Usage, models: Sequence[str]) -> float:
        """Return what `usage` takes of the cap: at the dearest of `models` whose price is known."""
        if self.dollars is None:
            return (usage.input_tokens or 0) + (usage.output_tokens or 0)
        prices = [price for name in models if (price := price_of(name, self.prices)) is not None]
        return max((price.cost(usage) for price in prices), default=0.0)

    def reserve(self, amount: float, tags: Mapping[str, str]) -> Account:
        """Reserve `amount`.

        Raises:
            BudgetExceeded: that would pass the cap.
        """
        value = None if self.tag is None else tags.get(self.tag)
        now = self.clock()
        with _LOCK:
            account = self._ledger.reserve(now, value, amount)
            if account is not None:
                return account
            error = self._exceeded(now, value, amount)
        raise error

    def settle(self, account: Account, reserved: float, used: float) -> bool:
        """Replace a reservation by what was used; return whether the cap still holds."""
        with _LOCK:
            self._ledger.settle(account, reserved, used)
            return self._ledger.holds(account)

    def exceeded(self, account: Account, amount: float, tags: Mapping[str, str]) -> BudgetExceeded:
        """Return the error of a call that may not go on: another attempt may cost `amount`."""
        return self._exceeded(self.clock(), None if self.tag is None else tags.get(self.tag), amount, account)

    def _exceeded(self, now: float, value: str | None, amount: float, account: Account | None = None) -> BudgetExceeded:
        account, resets = account or self._ledger.account(now, value), self._ledger.resets(now)
        whose = (
            "" if self.tag is None else f" for {self.tag}={value!r}" if value else f" for calls without {self.tag!r}"
        )
        each = "" if self.period is None else f" per {self.period}"
        again = (
            "It never resets"
            if resets is None
            else f"It resets at {datetime.fromtimestamp(resets, UTC):%Y-%m-%d %H:%M} UTC"
        )
        error = BudgetExceeded(
            f"the budget of {self._say(self._ledger.cap)}{each}{whose} does not allow this call: "
            f"{self._say(account.used)} used, {self._say(account.reserved)} reserved by calls under way, and the next request may "
            f"cost {self._say(amount)}. {again}"
        )
        error.retry_after = None if resets is None else max(0.0, resets - now)
        return error

    def _say(self, amount: float) -> str:
        return f"{amount:,.0f} tokens" if self.dollars is None else f"${amount:,.6g}"


@dataclass(slots=True)
class _Part:
    """What a call has of one cap: `amount` reserved for the attempt under way, `charged` for those before."""

    cap: Cap
    account: Account
    amount: float
    charged: float = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """Refuse calls that would pass a cap, before anything is sent.

    Put it around a whole tree (outside of retries and fallbacks, which it then counts), or around one endpoint.

    Attributes:
        inner: the model.
        caps: the caps; a call needs room in all of them.
    """

    inner: Model
    caps: tuple[Cap, ...]
    _models: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _leaves: tuple[_Leaf, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_leaves", tuple(_leaves_of(self.inner, ())))
        object.__setattr__(self, "_models", tuple(name for name, _ in self._leaves))
        for cap in self.caps:
            cap.check(self._models)

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            BudgetExceeded: the call would pass a cap. Nothing was sent.
        """
        prompt = estimate_input(request)
        reserved = self._reserve(prompt, request)
        meter, error, left = Meter(prompt), None, True
        try:
            batches = self.inner.stream(request)
            try:
                async for batch in batches:
                    meter.see(batch)
                    yield batch
                    if type(batch[-1]) in _ANOTHER:
                        self._charge(reserved, meter.attempts, request)
            finally:
                await batches.aclose()
            left = False
        except CallmError as failure:
            error, left = failure, False
            raise
        finally:
            attempts = meter.end(error, left=left)
            for part in reserved:
                part.cap.settle(part.account, part.amount, self._cost(part.cap, attempts) - part.charged)
            del error  # its traceback holds this frame

    def _reserve(self, prompt: int, request: Request) -> list[_Part]:
        """Reserve of every cap, or of none, what the dearest of the models may take with the settings that it is given."""
        usages = [(name, Usage(prompt, estimate_output(reduce(_apply, way, request)))) for name, way in self._leaves]
        reserved: list[_Part] = []
        try:
            for cap in self.caps:
                amount = max((cap.cost(usage, (name,)) for name, usage in usages), default=0.0)
                reserved.append(_Part(cap, cap.reserve(amount, request.options.tags), amount))
        except BudgetExceeded:
            for part in reserved:
                part.cap.settle(part.account, part.amount, 0)
            raise
        return reserved

    def _charge(self, reserved: Sequence[_Part], attempts: Sequence[tuple[str, Usage]], request: Request) -> None:
        """Charge the attempts that are over; what is reserved is kept for the next one."""
        for part in reserved:
            cost = self._cost(part.cap, attempts)
            more, part.charged = cost - part.charged, cost
            if not part.cap.settle(part.account, 0, more):
                raise part.cap.exceeded(part.account, part.amount, request.options.tags)

    def _cost(self, cap: Cap, attempts: Sequence[tuple[str, Usage]]) -> float:
        return sum(cap.cost(usage, self._who(model, cap)) for model, usage in attempts)

    def _who(self, model: str, cap: Cap) -> tuple[str, ...]:
        """Return who may have been paid: the model that answered, or all, where that is not known."""
        return (model,) if price_of(model, cap.prices) is not None else self._models


def _apply(request: Request, preset: Preset) -> Request:
    return preset.apply(request)


def _leaves_of(model: Any, way: tuple[Preset, ...]) -> list[_Leaf]:
    """Return the names of the models at the end of a tree, each with the presets on the way to it."""
    if isinstance(model, Preset):
        way = (*way, model)
    if hasattr(model, "inner"):
        return _leaves_of(model.inner, way)
    models = getattr(model, "models", None)
    if isinstance(models, tuple):
        return [leaf for each in models for leaf in _leaves_of(each, way)]  # pyright: ignore[reportUnknownVariableType]  # any Model
    return [(str(model.name), way)]
