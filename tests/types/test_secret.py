"""A secret is seen only where it is revealed."""

from __future__ import annotations

import copy
import pickle
import traceback

import msgspec
import pytest

from callm.errors import ConfigError
from callm.types import Secret, reveal
from callm.wire.codec import HTTPRequest, Target

CANARY = "sk-canary-1234567890"
SECRET = Secret(CANARY)


def test_it_reveals_the_key_behind_its_prefix() -> None:
    assert SECRET.reveal() == CANARY
    assert SECRET.prefixed("Bearer ").reveal() == f"Bearer {CANARY}"
    assert (reveal(SECRET), reveal("plain")) == (CANARY, "plain")


def test_equality_and_hash_go_by_the_key_and_the_prefix() -> None:
    assert Secret(CANARY) == SECRET
    assert hash(Secret(CANARY)) == hash(SECRET)
    assert Secret("other") != SECRET
    assert Secret(CANARY, "Bearer ") != SECRET
    assert SECRET != CANARY


@pytest.mark.parametrize(
    "holder",
    [
        SECRET,
        SECRET.prefixed("Bearer "),
        {"key": SECRET},
        Target("m", "https://h", SECRET, headers={"x-key": SECRET}),
        HTTPRequest("https://h", {"x-api-key": SECRET}),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_no_way_of_showing_or_storing_it_shows_the_key(holder: object) -> None:
    shown = [repr(holder), str(holder), f"{holder!s}", f"{holder}", "%r" % (holder,)]  # noqa: UP031  # a log does it so
    stored = [pickle.dumps(holder, protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    assert not any("canary" in text for text in shown)
    assert not any(b"canary" in data for data in stored)
    with pytest.raises(TypeError):
        msgspec.json.encode(holder)


def test_curl_masks_it() -> None:
    request = HTTPRequest("https://h", {"authorization": SECRET.prefixed("Bearer "), "x-a": "1"}, b"{}")
    assert request.curl() == "curl -X POST https://h -H 'authorization: Bearer ***' -H 'x-a: 1' --data-raw '{}'"


def test_a_traceback_does_not_show_it() -> None:
    target = Target("m", "https://h", SECRET)
    with pytest.raises(AttributeError) as caught:
        target.nothing  # type: ignore[attr-defined]  # noqa: B018
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "target = Target(" in shown
    assert "canary" not in shown


def test_a_pickled_one_arrives_without_its_key_and_says_so() -> None:
    arrived = pickle.loads(pickle.dumps(SECRET.prefixed("Bearer ")))
    assert repr(arrived) == "Bearer ***"
    with pytest.raises(ConfigError, match="dropped when its holder was pickled"):
        arrived.reveal()


def test_copies_in_one_process_keep_it() -> None:
    target = Target("m", "https://h", SECRET, headers={"x-key": SECRET.prefixed("Bearer ")})
    assert copy.copy(SECRET).reveal() == CANARY
    assert copy.copy(target) == copy.deepcopy(target) == target
    assert reveal(copy.deepcopy(target).headers["x-key"]) == f"Bearer {CANARY}"
