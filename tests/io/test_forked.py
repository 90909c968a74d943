import sys

from callm.io.forked import keep


def test_what_is_kept_is_never_freed() -> None:
    value = object()
    before = sys.getrefcount(value)
    keep(value)
    assert sys.getrefcount(value) == before + 1
