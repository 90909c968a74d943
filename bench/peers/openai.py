"""openai-python, its default clients; typed by `chat.completions.parse`."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

from __future__ import annotations

from typing import Any

from bench import payload
from bench.peer import Streamed

IMPORT = "import openai"
FIRST_CALL = f"""
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="x")
messages = [{{"role": "user", "content": {payload.PROMPT!r}}}]
answer = client.chat.completions.create(model={payload.MODEL!r}, messages=messages).choices[0].message.content
"""

_MESSAGES: Any = [{"role": "user", "content": payload.PROMPT}]


class Client:
    """An async and a sync client."""

    def __init__(self, url: str, variant: str) -> None:
        """Open the client that `variant` asks for."""
        import openai

        self._client: Any = (openai.OpenAI if variant == "sync" else openai.AsyncOpenAI)(
            base_url=f"{url}/v1", api_key="x"
        )

    async def call(self) -> str:
        """Ask and take the text."""
        answer = await self._client.chat.completions.create(model=payload.MODEL, messages=_MESSAGES)
        return str(answer.choices[0].message.content)

    def sync_call(self) -> str:
        """Ask with the sync client."""
        answer = self._client.chat.completions.create(model=payload.MODEL, messages=_MESSAGES)
        return str(answer.choices[0].message.content)

    async def typed(self) -> Any:
        """Ask for an order."""
        from bench.order import Order

        answer = await self._client.chat.completions.parse(
            model=payload.MODEL, messages=_MESSAGES, response_format=Order
        )
        return answer.choices[0].message.parsed

    async def stream(self) -> Streamed:
        """Take each delta's text."""
        pieces = characters = 0
        stream = await self._client.chat.completions.create(model=payload.MODEL, messages=_MESSAGES, stream=True)
        async for chunk in stream:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                pieces += 1
                characters += len(text)
        return Streamed(pieces, characters)

    async def aclose(self) -> None:
        """Close the client."""
        closing = self._client.close()
        if closing is not None:
            await closing
