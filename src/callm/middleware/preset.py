"""Give a model settings and time limits of its own."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from callm.types import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callm.types import Events, Model, Request


@dataclass(frozen=True, slots=True)
class Preset:
    """Lay a request's settings over those of this model, and replace some of its time limits.

    Attributes:
        inner: the model.
        settings: what holds where the request leaves something open.
        timeouts: limits of `Timeouts` by name, in seconds; None waits for ever.
    """

    inner: Model
    settings: Settings
    timeouts: Mapping[str, float | None]

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    def stream(self, request: Request) -> Events:
        """See `Model.stream`."""
        return self.inner.stream(self.apply(request))

    def apply(self, request: Request) -> Request:
        """Return the request as the model inside gets it."""
        request = copy(request)
        msgspec.structs.force_setattr(request, "settings", request.settings.over(self.settings))
        if self.timeouts:
            options = copy(request.options)
            timeouts = msgspec.structs.replace(options.timeouts, **self.timeouts)
            msgspec.structs.force_setattr(options, "timeouts", timeouts)
            msgspec.structs.force_setattr(request, "options", options)
        return request
