"""The floor: aiohttp itself, with the least code that gets the answer.

A call decodes the body with the standard library's json and takes the text. A stream is iterated and not decoded at all:
`iter_any`, which gives the bytes of each read; variant `lines`: line by line; variant `json`: line by line, with each
event decoded and its text taken, which is what a hand-written loop does.
"""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

from __future__ import annotations

import json
from typing import Any

from bench import payload
from bench.peer import Streamed

IMPORT = "import aiohttp"
FIRST_CALL = f"""
import asyncio
async def main():
    async with aiohttp.ClientSession() as session:
        body = {{"model": {payload.MODEL!r}, "messages": [{{"role": "user", "content": {payload.PROMPT!r}}}]}}
        async with session.post(sys.argv[1] + "/v1/chat/completions", json=body) as response:
            return (await response.json())["choices"][0]["message"]["content"]
answer = asyncio.run(main())
"""

_HEADERS = {"authorization": "Bearer x"}


class Client:
    """One session."""

    def __init__(self, url: str, variant: str) -> None:
        """Open a session; `variant` says how a stream is read."""
        import aiohttp

        self._url = url + ("/v1/messages" if variant == "anthropic" else "/v1/chat/completions")
        self._variant = variant
        self._session = aiohttp.ClientSession(headers=_HEADERS)

    async def call(self) -> str:
        """Post and take the text."""
        async with self._session.post(self._url, json=_body()) as response:
            answer: str = json.loads(await response.read())["choices"][0]["message"]["content"]
            return answer

    async def typed(self) -> Any:
        """Post, take the text and let pydantic read it."""
        from bench.order import Order

        return Order.model_validate_json(await self.call())

    async def stream(self) -> Streamed:
        """Read the body."""
        async with self._session.post(self._url, json=_body() | {"stream": True}) as response:
            if self._variant == "lines":
                return await _lines(response.content)
            if self._variant == "json":
                return await _json(response.content)
            pieces = 0
            async for _ in response.content.iter_any():
                pieces += 1
            return Streamed(pieces, None)

    async def aclose(self) -> None:
        """Close the session."""
        await self._session.close()


def _body() -> dict[str, Any]:
    return {"model": payload.MODEL, "messages": [{"role": "user", "content": payload.PROMPT}]}


async def _lines(content: Any) -> Streamed:
    pieces = 0
    async for line in content:
        if line.startswith(b"data: "):
            pieces += 1
    return Streamed(pieces, None)


async def _json(content: Any) -> Streamed:
    pieces = characters = 0
    async for line in content:
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:])["choices"]
            if choices and (text := choices[0]["delta"].get("content")):
                pieces += 1
                characters += len(text)
    return Streamed(pieces, characters)
