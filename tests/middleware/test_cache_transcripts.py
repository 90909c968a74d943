"""What is stored of what providers really send: of a body that is cut anywhere, the whole answer or nothing."""

import asyncio
from contextlib import aclosing, suppress

import pytest

from callm.errors import CallmError
from callm.io.endpoint import Endpoint
from callm.io.stores import MemoryStore
from callm.middleware.cache import Cache
from callm.testing import CannedTransport
from callm.types import Message, Request, Response
from callm.wire.anthropic import Anthropic
from callm.wire.codec import Target
from callm.wire.openai_chat import OpenAIChat
from tests.transcripts import Case, load

TARGET = Target("m", "https://api.example.com/v1", provider="p")
CASES = [(OpenAIChat(), case) for case in load("openai-chat")] + [(Anthropic(), case) for case in load("anthropic")]


async def call(case: Case, codec: OpenAIChat | Anthropic, body: bytes, store: MemoryStore) -> Response:
    """Ask a server that sends `body`; return what came, as far as it did."""
    content = "text/event-stream" if case.stream else "application/json"
    endpoint = Endpoint(codec, TARGET, CannedTransport((case.status, {"content-type": content}, [body])))
    response = Response()
    with suppress(CallmError):
        async with aclosing(
            Cache(endpoint, store).stream(Request((Message.user("hi"),), stream=case.stream))
        ) as batches:
            async for batch in batches:
                response.add(batch)
    return response


@pytest.mark.parametrize(("codec", "case"), CASES, ids=[str(case) for _, case in CASES])
def test_of_a_body_cut_at_any_byte_the_whole_answer_is_stored_or_nothing(codec, case):
    async def main() -> int:
        whole = await call(case, codec, case.body, MemoryStore())
        stored = 0
        for cut in {*range(0, len(case.body), 1 + len(case.body) // 1500), len(case.body)}:
            store = MemoryStore()
            came = await call(case, codec, case.body[:cut], store)
            if not len(store):
                continue
            stored += 1
            played = await call(case, codec, b"", store)
            for response in (came, played):
                assert (response.parts, response.finish_reason) == (whole.parts, whole.finish_reason)
            assert played.cached
        return stored

    wanted = case.expected["finish_reason"] in {"stop", "tool_calls"} and case.expected["error"] is None
    assert (asyncio.run(main()) > 0) == wanted
