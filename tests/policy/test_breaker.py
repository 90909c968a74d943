"""The circuit: a table of what counts, the story of one outage, and a naive model of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm import errors
from callm.policy.breaker import Circuit, verdict

DOWN = errors.ServerError("down", status=500)

VERDICTS = {
    errors.TransportError: "failure",
    errors.CallTimeout: "failure",
    errors.TruncatedStream: "failure",
    errors.ProtocolError: "failure",
    errors.ServerError: "failure",
    errors.OverloadedError: "failure",
    errors.ProviderTimeoutError: "failure",
    errors.RateLimitError: "alive",
    errors.QuotaError: "alive",
    errors.AuthError: "alive",
    errors.InvalidRequestError: "alive",
    errors.NotFoundError: "alive",
    errors.ConflictError: "alive",
    errors.ContentFilterError: "alive",
    errors.LengthError: "alive",
    errors.OutputError: "alive",
    errors.PoolTimeout: "neither",
    errors.QueueTimeout: "neither",
    errors.DeadlineExceeded: "neither",
    errors.CallCancelled: "neither",
    errors.ConfigError: "neither",
    errors.UnsupportedError: "neither",
}


@pytest.mark.parametrize(("kind", "expected"), VERDICTS.items())
def test_what_an_error_says_of_the_model(kind, expected):
    assert verdict(kind("words")) == expected


def test_every_error_has_a_verdict():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CallmError)]
    made = [kind("words", [DOWN]) if kind is errors.AllFailed else kind("words") for kind in kinds]
    assert {verdict(error) for error in made} == {"failure", "alive", "neither"}


def new(**options):
    return Circuit(**options)


def fail(circuit, times, now=0.0, error=DOWN):
    for _ in range(times):
        circuit.fail(circuit.enter(now), now, error)


def test_failures_in_a_row_open_it_for_the_cooldown():
    circuit = new(failures=3, cooldown=30)
    fail(circuit, 2)
    assert (circuit.state, circuit.failures) == ("closed", 2)
    fail(circuit, 1, now=7.0)
    assert (circuit.state, circuit.opens_until) == ("open", 37.0)
    assert circuit.enter(36.9) is None
    assert circuit.enter(37.0) is not None
    assert circuit.state == "half_open"


def test_a_success_between_failures_begins_the_row_again():
    circuit = new(failures=3)
    fail(circuit, 2)
    circuit.succeed(circuit.enter(0.0), 0.0)
    fail(circuit, 2)
    assert circuit.state == "closed"


@pytest.mark.parametrize("error", [errors.RateLimitError("slow", status=429), errors.AuthError("no", status=401)])
def test_what_is_alive_neither_counts_nor_begins_the_row_again(error):
    circuit = new(failures=3)
    fail(circuit, 2)
    fail(circuit, 9, error=error)
    assert (circuit.state, circuit.failures) == ("closed", 2)


def test_the_rate_counts_from_a_minimum_of_calls_within_the_window():
    circuit = new(failures=None, rate=0.5, minimum=4, window=10)
    fail(circuit, 3)
    assert circuit.state == "closed"
    for _ in range(3):
        circuit.succeed(circuit.enter(11.0), 11.0)
    fail(circuit, 2, now=12.0)  # 2 of 5: those at 0.0 are forgotten
    assert circuit.state == "closed"
    fail(circuit, 1, now=12.0)
    assert circuit.state == "open"


def opened(**options):
    circuit = new(failures=1, cooldown=10, **options)
    fail(circuit, 1)
    return circuit


def test_exactly_one_call_probes():
    circuit = opened()
    assert [circuit.enter(10.0) is not None for _ in range(5)] == [True, False, False, False, False]
    assert circuit.enter(9999.0) is None


def test_a_probe_that_succeeds_closes_it():
    circuit = opened()
    circuit.succeed(circuit.enter(10.0), 12.0)
    assert (circuit.state, circuit.failures, circuit.opens_until, circuit.opened) == ("closed", 0, None, None)


def test_a_refusal_that_proves_the_server_alive_closes_it():
    circuit = opened()
    circuit.fail(circuit.enter(10.0), 12.0, errors.RateLimitError("slow", status=429))
    assert circuit.state == "closed"


def test_each_probe_that_fails_doubles_the_cooldown_up_to_the_maximum():
    circuit, now, waits = opened(maximum=50), 10.0, []
    for _ in range(4):
        circuit.fail(circuit.enter(now), now, DOWN)
        waits.append(circuit.opens_until - now)
        now = circuit.opens_until
    assert waits == [20, 40, 50, 50]
    circuit.succeed(circuit.enter(now), now)
    fail(circuit, 1, now=now)
    assert circuit.opens_until == now + 10


def test_the_provider_may_ask_for_more_but_not_for_more_than_the_maximum():
    circuit = new(failures=1, cooldown=10, maximum=50)
    asking = errors.OverloadedError("busy", status=503, retry_after=42.0)
    fail(circuit, 1, error=asking)
    assert circuit.opens_until == 42.0
    circuit.fail(circuit.enter(42.0), 42.0, errors.OverloadedError("busy", status=503, retry_after=1e9))
    assert circuit.opens_until == 92.0


@pytest.mark.parametrize("error", [None, errors.CallCancelled("stop"), errors.PoolTimeout("full")])
def test_a_probe_given_up_lets_the_next_call_probe(error):
    circuit = opened()
    entry = circuit.enter(10.0)
    if error is None:
        circuit.abandon(entry)
    else:
        circuit.fail(entry, 10.0, error)
    assert circuit.state == "open"
    assert circuit.enter(10.0) is not None
    assert circuit.enter(10.0) is None


def test_late_results_of_calls_from_before_change_nothing():
    circuit = new(failures=1, cooldown=10)
    late = [circuit.enter(0.0) for _ in range(4)]
    fail(circuit, 1)
    circuit.succeed(late[0], 1.0)
    assert circuit.state == "open"
    probe = circuit.enter(10.0)
    circuit.succeed(late[1], 10.0)
    circuit.fail(late[2], 10.0, DOWN)
    circuit.abandon(late[3])
    assert circuit.state == "half_open"
    circuit.succeed(probe, 11.0)
    circuit.fail(late[2], 11.0, DOWN)
    assert (circuit.state, circuit.failures) == ("closed", 0)


def test_reset_closes_it_and_forgets_the_calls_under_way():
    circuit = opened()
    probe = circuit.enter(10.0)
    circuit.reset()
    assert (circuit.state, circuit.failures) == ("closed", 0)
    circuit.fail(probe, 11.0, DOWN)
    assert circuit.state == "closed"


def test_the_refusal_says_since_when_why_and_until_when():
    circuit = opened()
    assert circuit.refusal(4.0) == (
        "open for 4 s, tried again in 6 s; the last failure was ServerError: down (HTTP 500)",
        6.0,
    )
    circuit.enter(12.0)
    assert circuit.refusal(13.0)[0].startswith("open for 13 s, it is being tried just now;")
    assert repr(circuit) == "Circuit(failures=1, cooldown=10, state='half_open')"
    assert repr(Circuit(failures=None, rate=0.5)) == "Circuit(rate=0.5, cooldown=30, state='closed')"


@pytest.mark.parametrize(
    "options",
    [
        {"failures": None},
        {"failures": 0},
        {"failures": True},
        {"failures": 2.5},
        {"minimum": 0},
        {"rate": 0.0},
        {"rate": 1.1},
        {"window": 0.0},
        {"cooldown": 0.0},
        {"cooldown": 301.0},
        {"cooldown": float("nan")},
    ],
)
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(errors.ConfigError):
        Circuit(**options)


class Naive:
    """Keeps everything and computes it anew: calls know the period they began in, a period ends with each change."""

    def __init__(self, failures, rate, minimum, window, cooldown, maximum):
        self.settings = failures, rate, minimum, window, cooldown, maximum
        self.close()

    def close(self):
        self.state, self.period, self.results, self.cooldowns = "closed", object(), [], 0

    def enter(self, now):
        if self.state == "closed":
            return self.period
        if self.state == "open" and now >= self.until:
            self.state, self.period = "half_open", object()
            return self.period
        return None

    def end(self, period, now, outcome):
        if period is not self.period:
            return
        if self.state == "half_open":
            if outcome in {"success", "alive"}:
                self.close()
            elif outcome == "failure":
                self.open(now)
            else:
                self.state, self.period = "open", object()
        elif outcome in {"success", "failure"}:
            self.results.append((now, outcome == "failure"))
            if self.is_too_much(now):
                self.open(now)

    def is_too_much(self, now):
        failures, rate, minimum, window, _, _ = self.settings
        if failures is not None and [failed for _, failed in self.results[-failures:]] == [True] * failures:
            return True
        part = window / 10
        recent = [failed for at, failed in self.results if int(at / part) > int(now / part) - 10]
        return rate is not None and self.results[-1][1] and len(recent) >= minimum and sum(recent) >= rate * len(recent)

    def open(self, now):
        *_, cooldown, maximum = self.settings
        self.until = now + min(maximum, cooldown * 2**self.cooldowns)
        self.state, self.period, self.cooldowns = "open", object(), self.cooldowns + 1


SETTINGS = st.tuples(
    st.none() | st.integers(1, 4),
    st.none() | st.sampled_from([0.25, 0.5, 1.0]),
    st.integers(1, 5),
    st.sampled_from([5.0, 10.0, 60.0]),
    st.sampled_from([1.0, 8.0]),
    st.sampled_from([8.0, 30.0]),
).filter(lambda settings: settings[0] is not None or settings[1] is not None)
OUTCOMES = {"failure": DOWN, "alive": errors.RateLimitError("slow"), "neither": errors.CallCancelled("stop")}
STEPS = st.lists(
    st.just("enter")
    | st.just("enter")
    | st.tuples(st.integers(0, 9), st.sampled_from(["failure", "failure", "success", "alive", "neither", "abandon"]))
    | st.sampled_from([0.25, 1.0, 4.0, 16.0])
    | st.sampled_from(["enter"] * 9 + ["reset"]),
    max_size=80,
)


def report(circuit, entry, now, outcome):
    if outcome == "success":
        circuit.succeed(entry, now)
    elif outcome == "abandon":
        circuit.abandon(entry)
    else:
        circuit.fail(entry, now, OUTCOMES[outcome])


@given(SETTINGS, STEPS)
def test_calls_that_end_in_any_order_find_the_circuit_of_the_naive_model(settings, steps):
    names = ("failures", "rate", "minimum", "window", "cooldown", "maximum")
    circuit, naive = new(**dict(zip(names, settings, strict=True))), Naive(*settings)
    now: float = 0.0
    under_way: list[Any] = []
    probes: list[int] = []
    for step in steps:
        if step == "enter":
            entry, period = circuit.enter(now), naive.enter(now)
            assert (entry is None) == (period is None)
            if entry is not None:
                under_way.append((entry, period))
                probes = [*probes, entry] if circuit.state == "half_open" else []
        elif step == "reset":
            circuit.reset()
            naive.close()
            probes = []
        elif isinstance(step, tuple):
            if under_way:
                entry, period = under_way.pop(step[0] % len(under_way))
                report(circuit, entry, now, step[1])
                naive.end(period, now, step[1])
                probes = [probe for probe in probes if probe != entry]
        else:
            now += step
        assert circuit.state == naive.state
        assert len(probes) <= 1
        if naive.state == "open":
            assert circuit.opens_until == naive.until
