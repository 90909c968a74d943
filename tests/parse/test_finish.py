"""Tests of `callm.parse.finish`."""

import pytest

from callm.errors import CallmError, ContentFilterError, LengthError, RefusalError
from callm.parse.finish import check_finish
from callm.types import FinishReason, Response


@pytest.mark.parametrize(
    ("reason", "refusal", "expected"),
    [
        ("length", "I won't", LengthError),
        ("length", "", LengthError),
        ("refusal", "", RefusalError),
        ("stop", "I won't", RefusalError),
        ("content_filter", "I won't", RefusalError),
        ("content_filter", "", ContentFilterError),
        ("stop", "", None),
        (None, "", None),
    ],
)
def test_the_finish_is_blamed_before_the_text(
    reason: FinishReason | None, refusal: str, expected: type[CallmError] | None
) -> None:
    response = Response(finish_reason=reason, refusal=refusal)
    if expected is None:
        check_finish(response)
    else:
        with pytest.raises(expected):
            check_finish(response)
