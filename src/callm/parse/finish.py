"""What an answer's end says of it, before its text is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callm.errors import ContentFilterError, LengthError, RefusalError, quote

if TYPE_CHECKING:
    from callm.types import Response


def check_finish(response: Response) -> None:
    """Raise what is to blame before the text is: a token limit, a refusal, a content filter.

    Raises:
        LengthError: the answer was cut by the token limit.
        RefusalError: the model refused.
        ContentFilterError: the provider withheld the answer.
    """
    reason = response.finish_reason
    if reason == "length":
        raise LengthError("the answer was cut off by the token limit: raise max_tokens", text=response.text)
    if reason == "refusal" or response.refusal:
        raise RefusalError(f"the model refused: {quote(response.refusal or response.text)}", text=response.refusal)
    if reason == "content_filter":
        raise ContentFilterError("the provider's content filter withheld the answer", status=response.status)
