import json

import pytest

from bench import texts
from bench.order import Order


@pytest.mark.parametrize("size", [1, 2, 8, 32, 128])
def test_an_order_has_about_the_size_that_its_name_says(size: int) -> None:
    assert len(texts.text(f"plain-{size}")) == pytest.approx(size * 1024, rel=0.06)


@pytest.mark.parametrize("name", texts.HOSTILE)
def test_a_hostile_text_has_the_size_that_its_name_says_and_no_value(name: str) -> None:
    assert len(texts.text(f"{name}-16")) == pytest.approx(16 * 1024, rel=0.01)
    assert texts.value(f"{name}-16") is None


def test_the_damaged_text_is_the_same_order_and_no_json() -> None:
    assert texts.value("damaged-10") == texts.value("whole-10") == json.loads(texts.text("plain-10"))
    body = texts.text("damaged-10").partition("{")[2]
    with pytest.raises(json.JSONDecodeError):
        json.loads("{" + body + "]}")


def test_deltas_are_the_whole_text_in_pieces() -> None:
    whole = texts.text("plain-1")
    pieces = list(texts.deltas(whole))
    assert "".join(pieces) == whole
    assert len(pieces) == texts.count("plain-1")
    assert {len(piece) for piece in pieces[:-1]} == {4}


def test_samples_end_in_the_middle_of_each_part() -> None:
    assert texts.samples("0123456789abcdefghij", 2) == ["01234", "56789abcde"]
    whole = "x" * 4000
    ends = [sum(map(len, texts.samples(whole, 8)[: n + 1])) for n in range(8)]
    assert sum(ends) / 8 == 2000  # what is read on average is half of the text, as with every delta


def test_values_are_compared_whatever_their_classes() -> None:
    order = texts.order(1)
    assert texts.matches(Order.model_validate(order), order)
    assert texts.matches(order, order)


@pytest.mark.parametrize(
    "change",
    [{"lines": []}, {"total": 1}, {"status": None}, {"address": {"street": "Quay 7"}}, {"note": "None"}],
)
def test_a_value_that_differs_does_not_match(change: dict[str, object]) -> None:
    assert not texts.matches(texts.order(1) | change, texts.order(1))


def test_a_missing_key_and_a_number_of_another_type_do_not_match() -> None:
    assert not texts.matches({}, {"a": 1})
    assert not texts.matches({"a": 1.0}, {"a": 1})
    assert not texts.matches({"a": True}, {"a": 1})
    assert not texts.matches([1, 2, 3], [1, 2])
