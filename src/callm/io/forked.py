"""What a child process does with what it inherited."""

from __future__ import annotations

from contextlib import suppress


def keep(value: object) -> None:
    """Never free `value` or what it refers to, not even when the process ends.

    A child holds copies of its parent's loops and connections, whose selector and sockets both processes share. Freeing the
    copies would take the parent's connections out of the shared selector, and complain about tasks that still wait.
    """
    with suppress(ImportError, AttributeError):  # only CPython counts references, and may be built without ctypes
        import ctypes  # noqa: PLC0415  # of use in child processes only

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
