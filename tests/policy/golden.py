"""A request that uses everything, and its key: in a file of its own, to be asked in other processes."""

from dataclasses import dataclass

from callm.io.endpoint import Endpoint
from callm.parse.output import Output
from callm.policy.cache_key import cache_key, identity_of
from callm.testing import CannedTransport
from callm.types import Image, Message, Request, Secret, Settings, Tool
from callm.wire.codec import Target
from callm.wire.openai_chat import OpenAIChat


@dataclass
class Person:
    """Somebody."""

    name: str
    age: int


def golden() -> str:
    """Return the key of the request."""
    settings = Settings(max_tokens=10, temperature=0.5, stop=("x",), extra={"a": [1]}, headers={"X-A": Secret("s")})
    request = Request(
        (Message.system("Be kind."), Message.user("Who?", Image(b"\x89PNG\r\n\x1a\n"))),
        tools=(Tool("f", "Does it.", {"type": "object"}),),
        output=Output(Person, name="person"),
        settings=settings,
    )
    target = Target("m", "https://api.example.com/v1", Secret("key"), "p")
    return cache_key(request, identity_of(Endpoint(OpenAIChat(), target, CannedTransport())), "tenant")
