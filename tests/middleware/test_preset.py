"""Settings and time limits of a model's own."""

from __future__ import annotations

import msgspec

from callm.middleware.preset import Preset
from callm.testing import ScriptedModel
from callm.types import Settings
from tests.middleware.playing import HELLO, HI, play


def test_a_request_wins_over_the_model_and_the_model_over_nothing() -> None:
    model = ScriptedModel([HELLO])
    asked = msgspec.structs.replace(HI, settings=Settings(temperature=0.1))
    played = play(Preset(model, Settings(temperature=0.9, max_tokens=5), {}), asked)
    assert played.response.text == "hello"
    assert model.requests[0].settings == Settings(temperature=0.1, max_tokens=5)
    assert asked.settings == Settings(temperature=0.1)


def test_time_limits_are_replaced_by_name() -> None:
    model = ScriptedModel([HELLO])
    play(Preset(model, Settings(), {"first_content": None, "connect": 1.0}))
    timeouts = model.requests[0].options.timeouts
    assert (timeouts.first_content, timeouts.connect, timeouts.between_content) == (None, 1.0, 60.0)
    assert HI.options.timeouts.connect == 5.0
