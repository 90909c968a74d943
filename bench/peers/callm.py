"""callm, its default client: OpenAI's format, variant `anthropic` Anthropic's, variant `sync` through the portal."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bench import payload
from bench.peer import Grown, Streamed

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

    async def partials(self) -> Grown:
        """Call a declared function and take every partial value, then the whole one."""
        if self._extract is None:
            self._extract = self._function()
        pieces = 0
        stream = self._extract.stream(payload.PROMPT)
        async for _ in stream:
            pieces += 1
        return Grown(pieces, await stream)

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


class Reader:
    """The default policy. What is damaged is repaired without a type, in variant `typed` into an `Order`."""

    def __init__(self, variant: str) -> None:
        """Prepare the type."""
        import callm
        from bench.order import Order

        self._parse = callm.parse
        self._type: Any = Order
        self._repaired: Any = Order if variant == "typed" else Any
        self._output = callm.Output(Order)
        self._failure = callm.OutputError

    def read(self, text: str) -> Any:
        """Parse a text."""
        return self._parse(self._type, text)

    def repair(self, text: str) -> Any:
        """Parse a text, and return the error of one that is refused."""
        try:
            return self._parse(self._repaired, text)
        except self._failure as error:
            return error

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        """Feed the pieces; what is equal to the value before is not shown."""
        partial = self._output.partial()
        for piece in pieces:
            value = partial.feed(piece)
            if value is not None:
                yield value
        value = partial.close()
        if value is not None:
            yield value
