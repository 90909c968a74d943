import pytest

from callm.errors import ConfigError
from callm.policy.price import Price, price_of
from callm.types import Usage

PRICE = Price(3.0, 15.0, cache_read=0.3, cache_write=3.75, cache_write_1h=6.0)


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(), 0),
        (Usage(1_000_000, 0), 3),
        (Usage(1000, 100), 0.0045),
        (Usage(1000, 100, cache_read_tokens=600), (400 * 3 + 600 * 0.3 + 100 * 15) / 1e6),
        (Usage(1000, 0, cache_write_tokens=500, cache_write_1h_tokens=200), (500 * 3 + 300 * 3.75 + 200 * 6) / 1e6),
        (Usage(None, 100), 0.0015),
    ],
)
def test_each_kind_of_token_has_its_price(usage, dollars):
    assert PRICE.cost(usage) == pytest.approx(dollars)


def test_cached_tokens_cost_what_the_others_cost_unless_said_otherwise():
    assert Price(3.0, 15.0).cost(Usage(1000, 0, 300, 300)) == Price(3.0, 15.0).cost(Usage(1000, 0))


def test_a_model_is_found_with_and_without_its_provider():
    prices = {"openai/gpt-x": PRICE, "claude-x": Price(0, 0)}
    assert price_of("openai/gpt-x", prices) is PRICE
    assert price_of("anthropic/claude-x", prices) == Price(0, 0)
    assert price_of("openai/gpt-y", prices) is None
    assert price_of("", prices) is None


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "3", True, None])
def test_a_price_is_a_number(value):
    with pytest.raises(ConfigError, match="the price 'input' must be"):
        Price(value, 1)
