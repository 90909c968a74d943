"""baml-py, with a project made at run time and no generated code.

Its stream gives the value so far, not deltas, and drops those that a newer one has overtaken, so it shows fewer pieces
than were sent; its work is still counted per delta sent. Its parser takes the text so far.
"""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from bench import payload
from bench.peer import Grown, Streamed

_PROJECT = """
client<llm> Mock {{
  provider openai
  options {{
    model "{model}"
    api_key "x"
    base_url "{url}/v1"
  }}
}}
function Say(question: string) -> string {{
  client Mock
  prompt #"{{{{ _.role("user") }}}}{{{{ question }}}}"#
}}
"""
_TYPED = """
function Extract(question: string) -> Order {
  client Mock
  prompt #"{{ _.role("user") }}{{ question }}{{ ctx.output_format }}"#
}
"""

IMPORT = """
import os
os.environ.update(BAML_LOG="off", BOUNDARY_TELEMETRY="off")
import baml_py
"""
FIRST_CALL = f"""
project = {_PROJECT!r}.format(model={payload.MODEL!r}, url=sys.argv[1])
runtime = baml_py.BamlRuntime.from_files("baml_src", {{"main.baml": project}}, {{}})
context = runtime.create_context_manager()
answer = runtime.call_function_sync("Say", {{"question": {payload.PROMPT!r}}}, context, None, None, [], {{}}, {{}})
answer = answer.cast_to(sys, sys, sys, False, runtime)  # any module: a text needs no types
"""


class Client:
    """A runtime with two functions."""

    def __init__(self, url: str, variant: str) -> None:
        """Compile the project; it has no variants."""
        from bench import order, partial_order

        del variant
        self._runtime = _runtime(url)
        self._types: ModuleType = order
        self._partial_types: ModuleType = partial_order
        self._arguments = {"question": payload.PROMPT}

    async def call(self) -> str:
        """Call the function of text."""
        return str(await self._call("Say"))

    def sync_call(self) -> str:
        """Call the function of text without a loop."""
        context = self._runtime.create_context_manager()
        result = self._runtime.call_function_sync("Say", self._arguments, context, None, None, [], {}, {})
        return str(self._value(result))

    async def typed(self) -> Any:
        """Call the function of an order."""
        return await self._call("Extract")

    async def stream(self) -> Streamed:
        """Take the text so far, whenever there is more."""
        grown = await self._stream("Say")
        return Streamed(grown.pieces, len(grown.value))

    async def partials(self) -> Grown:
        """Take the order so far, whenever there is more."""
        return await self._stream("Extract")

    async def aclose(self) -> None:
        """Leave the runtime to the end of the process."""

    async def _call(self, function: str) -> Any:
        context = self._runtime.create_context_manager()
        return self._value(
            await self._runtime.call_function(function, self._arguments, context, None, None, [], {}, {})
        )

    async def _stream(self, function: str) -> Grown:
        import baml_py

        context = self._runtime.create_context_manager()
        inner = self._runtime.stream_function(function, self._arguments, None, context, None, None, [], {}, {})
        stream: Any = baml_py.BamlStream(inner, self._partial, self._value, context)
        pieces = 0
        async for _ in stream:
            pieces += 1
        return Grown(pieces, await stream.get_final_response())

    def _value(self, result: Any) -> Any:
        return result.cast_to(self._types, self._types, self._types, False, self._runtime)  # noqa: FBT003  # not our function

    def _partial(self, result: Any) -> Any:
        return result.cast_to(self._types, self._types, self._partial_types, True, self._runtime)  # noqa: FBT003  # not our function


class Reader:
    """The runtime's parser, which generated code calls for a text of one's own."""

    def __init__(self, variant: str) -> None:
        """Compile the project; it has no variants."""
        from bench import order, partial_order

        del variant
        self._runtime = _runtime("")
        self._modules: tuple[ModuleType, ...] = (order, order, partial_order)

    def read(self, text: str) -> Any:
        """Parse a text."""
        return self._parse(text, partial=False)

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        """Parse what has come, each time."""
        text = ""
        for piece in pieces:
            text += piece
            yield self._parse(text, partial=True)

    def _parse(self, text: str, *, partial: bool) -> Any:
        context = self._runtime.create_context_manager()
        return self._runtime.parse_llm_response("Extract", text, *self._modules, partial, context, None, None, {})


def _runtime(url: str) -> Any:
    import baml_py

    from bench import order

    project = _PROJECT.format(model=payload.MODEL, url=url) + order.BAML + _TYPED
    return baml_py.BamlRuntime.from_files("baml_src", {"main.baml": project}, {})
