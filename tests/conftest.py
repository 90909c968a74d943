"""Fixtures that any test may use, and the one that every test has: it looks at what the test left behind."""

from collections.abc import Iterator

import pytest

from callm.testing import FaultServer
from tests import leaks

leaks.watch()


@pytest.fixture
def fault_server() -> Iterator[FaultServer]:
    """A real server of its own for the test."""
    with FaultServer() as server:
        yield server


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a task, a connection in use, a thread, descriptors or something reserved behind."""
    before = leaks.snapshot()
    yield
    if request.node.get_closest_marker("leaves") is None and (found := leaks.left_behind(before)):
        pytest.fail("\n".join(["the test left behind:", *found]), pytrace=False)
