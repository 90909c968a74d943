"""pydantic-ai: one agent for text, one with native structured output."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

# mypy: disable-error-code=import-not-found

from __future__ import annotations

from typing import Any

from bench import payload
from bench.peer import Grown, Streamed

IMPORT = "import pydantic_ai"
FIRST_CALL = f"""
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
provider = OpenAIProvider(base_url=sys.argv[1] + "/v1", api_key="x")
agent = pydantic_ai.Agent(OpenAIChatModel({payload.MODEL!r}, provider=provider))
answer = agent.run_sync({payload.PROMPT!r}).output
"""


class Client:
    """The agents over one model."""

    def __init__(self, url: str, variant: str) -> None:
        """Make the agents; they have no variants."""
        from pydantic_ai import Agent, NativeOutput
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        from bench import dict_order
        from bench.order import Order

        del variant
        model = OpenAIChatModel(payload.MODEL, provider=OpenAIProvider(base_url=f"{url}/v1", api_key="x"))
        self._agent: Any = Agent(model)
        self._typed: Any = Agent(model, output_type=NativeOutput(Order))
        self._growing: Any = Agent(model, output_type=NativeOutput(dict_order.Order))

    async def call(self) -> str:
        """Run the agent."""
        return str((await self._agent.run(payload.PROMPT)).output)

    async def typed(self) -> Any:
        """Run the typed agent."""
        return (await self._typed.run(payload.PROMPT)).output

    async def stream(self) -> Streamed:
        """Take each delta's text, without the default debounce."""
        pieces = characters = 0
        async with self._agent.run_stream(payload.PROMPT) as result:
            async for text in result.stream_text(delta=True, debounce_by=None):
                pieces += 1
                characters += len(text)
        return Streamed(pieces, characters)

    async def partials(self) -> Grown:
        """Take the validated output so far, without the default debounce; a model would be shown at its end only."""
        pieces, last = 0, None
        async with self._growing.run_stream(payload.PROMPT) as result:
            async for value in result.stream_output(debounce_by=None):
                pieces, last = pieces + 1, value
        return Grown(pieces, last)

    async def aclose(self) -> None:
        """Leave the shared HTTP client to the end of the process."""
