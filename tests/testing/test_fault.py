import gzip
from urllib.parse import quote

import msgspec
import pytest

from callm.errors import ConfigError
from callm.testing import PRESETS, Answer, Fault, parse_fault
from callm.testing.fault import bomb


@pytest.mark.parametrize(
    "fault", [*PRESETS.values(), Fault(data=b"\x00\xff", answer=Answer(text="x"), headers={"a": "b"})]
)
def test_every_fault_can_be_written_as_json(fault: Fault) -> None:
    text = msgspec.json.encode(fault).decode()
    assert parse_fault(text) == fault
    assert quote(text, safe="").isascii()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_known_by_name(name: str) -> None:
    assert parse_fault(name) is PRESETS[name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "no fault is called 'nonsense': use one of bomb, drip"),
        ('{"stat": 1}', "unknown field `stat`"),
        ('{"status": "x"}', "Expected `int`, got `str`"),
        ('{"then": "explode"}', "Invalid enum value 'explode'"),
        ("{", "the fault is wrong"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_fault(text)


def test_a_fault_shows_only_what_it_says() -> None:
    assert repr(Fault(at=3, then="reset")) == "Fault(at=3, then='reset')"


@pytest.mark.parametrize("size", [0, 1, 65536, 200_001])
def test_a_bomb_unpacks_to_its_size(size: int) -> None:
    assert gzip.decompress(bomb(size)) == b" " * size
