"""instructor over openai-python, in its mode for enforced JSON schemas. It has no calls but typed ones."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

# mypy: disable-error-code=import-not-found

from __future__ import annotations

from typing import Any

from bench import payload

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

    async def aclose(self) -> None:
        """Close the client."""
        await self._inner.close()
