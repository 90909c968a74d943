"""Fixtures that any test may use."""

from collections.abc import Iterator

import pytest

from callm.testing import FaultServer


@pytest.fixture
def fault_server() -> Iterator[FaultServer]:
    """A real server of its own for the test."""
    with FaultServer() as server:
        yield server
