"""Which transport serves which address."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from callm.errors import ConfigError
from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.transports import Transports
from callm.testing import CannedTransport


def test_there_is_one_for_each_kind_of_address_and_it_is_made_once():
    transports = Transports()
    one = transports.get("https://a/v1")
    assert isinstance(one, AiohttpTransport)
    assert transports.get("https://b/v1") is one
    assert type(transports.get("local:")).__name__ == "LocalTransport"


def test_threads_that_come_together_get_the_same():
    transports = Transports()
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(transports.get, ["http://a/v1"] * 64))
    assert len(set(map(id, found))) == 1


def test_a_given_one_serves_all_and_is_closed_with_the_rest():
    given = CannedTransport()
    transports = Transports(given)
    assert transports.get("https://a") is transports.get("local:") is given
    asyncio.run(transports.aclose())
    assert given.closed


def test_after_closing_there_is_none():
    transports = Transports()
    asyncio.run(transports.aclose())
    with pytest.raises(ConfigError, match="this client was closed: make a new one"):
        transports.get("https://a")
