"""The text of a model to a value of the declared type. Pure: no I/O here.

The package is also a function, for those who bring their own client:

    review = callm.parse(Review, text)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    def __call__(self, annotation: Any, text: str, *, policy: Any = None) -> Any:
        """See `callm.parse.output.parse_text`."""
        from callm.parse.output import parse_text  # noqa: PLC0415  # the package is imported before its parts

        return parse_text(annotation, text, policy=policy)


sys.modules[__name__].__class__ = _Package  # `callm.parse` is this package as soon as a part of it was imported
