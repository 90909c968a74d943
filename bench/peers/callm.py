"""callm, its default client: OpenAI's format, variant `anthropic` Anthropic's, variant `sync` through the portal."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

from __future__ import annotations

from typing import Any

from bench import payload
from bench.peer import Streamed

IMPORT = "import callm"
FIRST_CALL = f"""
client = callm.Client("openai/{payload.MODEL}", base_url=sys.argv[1] + "/v1", api_key="x")
answer = client.call({payload.PROMPT!r}).result().text
"""


class Client:
    """One client."""

    def __init__(self, url: str, variant: str) -> None:
        """Open the client for the format that `variant` asks for."""
        import callm

        if variant == "anthropic":
            self._client = callm.Client(f"anthropic/{payload.MODEL}", base_url=url, api_key="x")
        else:
            self._client = callm.Client(f"openai/{payload.MODEL}", base_url=f"{url}/v1", api_key="x")
        self._delta = callm.TextDelta
        self._extract: Any = None

    async def call(self) -> str:
        """Ask and take the text."""
        return (await self._client.call(payload.PROMPT)).text

    def sync_call(self) -> str:
        """Ask from sync code."""
        return self._client.call(payload.PROMPT).result().text

    async def typed(self) -> Any:
        """Call a declared function."""
        if self._extract is None:
            self._extract = self._function()
        return await self._extract(payload.PROMPT)

    async def stream(self) -> Streamed:
        """Take each event, and the text of those that bring some."""
        pieces = characters = 0
        delta = self._delta
        async for event in self._client.stream(payload.PROMPT):
            if isinstance(event, delta):
                pieces += 1
                characters += len(event.text)
        return Streamed(pieces, characters)

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    def _function(self) -> Any:
        import callm
        from bench.order import Order

        async def extract(question: str) -> Order:
            """Extract the order: {{ question }}."""
            raise NotImplementedError

        extract.__annotations__ = {"question": str, "return": Order}
        return callm.function(client=self._client)(extract)
