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
        """Turn a model's text into a value of `annotation`, a type or a `Schema`.

        Args:
            annotation: the type.
            text: what the model wrote.
            policy: which repairs are allowed; `callm.FAITHFUL` when not given.

        Raises:
            OutputError: the text holds no value of the type, or only with repairs that the policy refuses.
        """
        from callm.parse.output import output_of  # noqa: PLC0415  # the package is imported before its parts
        from callm.parse.policies import FAITHFUL  # noqa: PLC0415  # likewise

        return output_of(annotation, policy or FAITHFUL).parse(text)


sys.modules[__name__].__class__ = _Package  # `callm.parse` is this package as soon as a part of it was imported
