"""litellm, its OpenAI-compatible path. It returns no typed values, so the typed case lets pydantic read its text."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

# mypy: disable-error-code=import-not-found

from __future__ import annotations

from typing import Any

from bench import payload
from bench.peer import Streamed

IMPORT = "import litellm"
FIRST_CALL = f"""
messages = [{{"role": "user", "content": {payload.PROMPT!r}}}]
answer = litellm.completion(model="openai/{payload.MODEL}", messages=messages, api_base=sys.argv[1] + "/v1", api_key="x")
answer = answer.choices[0].message.content
"""


class Client:
    """The module's functions with the arguments of the mock server."""

    def __init__(self, url: str, variant: str) -> None:
        """Keep the address; there is no client object."""
        import litellm

        del variant
        self._ask: Any = litellm.acompletion
        self._request: Any = {
            "model": f"openai/{payload.MODEL}",
            "messages": [{"role": "user", "content": payload.PROMPT}],
            "api_base": f"{url}/v1",
            "api_key": "x",
        }

    async def call(self) -> str:
        """Ask and take the text."""
        return str((await self._ask(**self._request)).choices[0].message.content)

    async def typed(self) -> Any:
        """Ask with the schema and let pydantic read the text."""
        from bench.order import Order

        answer = await self._ask(**self._request, response_format=Order)
        return Order.model_validate_json(answer.choices[0].message.content)

    async def stream(self) -> Streamed:
        """Take each delta's text."""
        pieces = characters = 0
        async for chunk in await self._ask(**self._request, stream=True):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                pieces += 1
                characters += len(text)
        return Streamed(pieces, characters)

    async def aclose(self) -> None:
        """Leave litellm's cached clients to the end of the process."""
