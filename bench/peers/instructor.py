"""instructor over openai-python, in its mode for enforced JSON schemas. It has no calls but typed ones."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

# mypy: disable-error-code=import-not-found

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bench import payload
from bench.peer import Grown

IMPORT = "import instructor"
FIRST_CALL = f"""
import openai
client = instructor.from_openai(openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="x"))
messages = [{{"role": "user", "content": {payload.PROMPT!r}}}]
answer = client.chat.completions.create(model={payload.MODEL!r}, messages=messages, response_model=None)
answer = answer.choices[0].message.content
"""


class Client:
    """A patched openai client."""

    def __init__(self, url: str, variant: str) -> None:
        """Open the client; it has no variants."""
        import instructor
        import openai

        del variant
        self._inner = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x")
        self._client: Any = instructor.from_openai(self._inner, mode=instructor.Mode.JSON_SCHEMA)

    async def typed(self) -> Any:
        """Ask for an order."""
        from bench.order import Order

        messages = [{"role": "user", "content": payload.PROMPT}]
        return await self._client.chat.completions.create(model=payload.MODEL, messages=messages, response_model=Order)

    async def partials(self) -> Grown:
        """Ask for the partial models of an order."""
        from bench.order import Order

        pieces, last = 0, None
        messages = [{"role": "user", "content": payload.PROMPT}]
        create = self._client.chat.completions.create_partial
        async for value in create(model=payload.MODEL, messages=messages, response_model=Order):
            pieces, last = pieces + 1, value
        return Grown(pieces, last)

    async def aclose(self) -> None:
        """Close the client."""
        await self._inner.close()


class Reader:
    """What the client does with a text: the block of the fence, then pydantic; and its partial models."""

    def __init__(self, variant: str) -> None:
        """Prepare the type; it has no variants."""
        from instructor import Partial
        from instructor.v2.core.json import extract_json_from_codeblock

        from bench.order import Order

        del variant
        self._block: Any = extract_json_from_codeblock
        self._type = Order
        self._partial: Any = Partial[Order]

    def read(self, text: str) -> Any:
        """Take the block and validate it."""
        return self._type.model_validate_json(self._block(text))

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        """Let the partial model take the pieces."""
        values: Iterator[Any] = self._partial.model_from_chunks(pieces)
        return values
