"""anthropic, its default clients, on the Anthropic format; a stream is read raw (`create(stream=True)`)."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

from __future__ import annotations

from typing import Any

from bench import payload
from bench.peer import Streamed

IMPORT = "import anthropic"
FIRST_CALL = f"""
client = anthropic.Anthropic(base_url=sys.argv[1], api_key="x")
messages = [{{"role": "user", "content": {payload.PROMPT!r}}}]
answer = client.messages.create(model={payload.MODEL!r}, max_tokens=1024, messages=messages).content[0].text
"""

_REQUEST: Any = {
    "model": payload.MODEL,
    "max_tokens": 1024,
    "messages": [{"role": "user", "content": payload.PROMPT}],
}


class Client:
    """An async or a sync client."""

    def __init__(self, url: str, variant: str) -> None:
        """Open the client that `variant` asks for."""
        import anthropic

        kind: Any = anthropic.Anthropic if variant == "sync" else anthropic.AsyncAnthropic
        self._client = kind(base_url=url, api_key="x")

    async def call(self) -> str:
        """Ask and take the text."""
        return str((await self._client.messages.create(**_REQUEST)).content[0].text)

    def sync_call(self) -> str:
        """Ask with the sync client."""
        return str(self._client.messages.create(**_REQUEST).content[0].text)

    async def typed(self) -> Any:
        """Ask for an order."""
        from bench.order import Order

        return (await self._client.messages.parse(**_REQUEST, output_format=Order)).parsed_output

    async def stream(self) -> Streamed:
        """Take each delta's text."""
        pieces = characters = 0
        async for event in await self._client.messages.create(**_REQUEST, stream=True):
            if event.type == "content_block_delta":
                pieces += 1
                characters += len(event.delta.text)
        return Streamed(pieces, characters)

    async def aclose(self) -> None:
        """Close the client."""
        closing = self._client.close()
        if closing is not None:
            await closing
