"""Requests to draw from, by small alphabets, so that two draws are often nearly the same."""

from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

from callm.parse.output import Output
from callm.types import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Reasoning,
    Request,
    Secret,
    Settings,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)


@dataclass
class Person:
    name: str
    age: int


@dataclass
class Turned:
    age: int
    name: str


texts = st.sampled_from(["", "a", "b", "ab", '"', "a\nb", "é", "user", "[]"])
extras = st.dictionaries(
    st.sampled_from(["x", "y"]), st.sampled_from([None, True, 1, 1.0, "1", [1], {"x": 1}]), max_size=2
)
data = st.sampled_from([b"", b"\0", b"ab"])
media = {"media_type": st.sampled_from(["image/png", "image/jpeg"]), "extra": extras}
images = st.one_of(
    st.builds(Image, data=data, **media), st.builds(Image, url=st.sampled_from(["https://a", "https://b"]))
)
files = st.builds(File, data=data, media_type=st.just("application/pdf"), name=st.none() | texts)
audios = st.builds(Audio, data=data, media_type=st.just("audio/wav"))
calls = st.builds(ToolCall, id=texts, name=texts, arguments=st.sampled_from(["{}", '{"a":1}']), extra=extras)
results = st.builds(
    ToolResult, id=texts, content=texts | st.builds(lambda text: (Text(text),), texts), is_error=st.booleans()
)
thoughts = st.builds(Reasoning, text=texts, signature=st.none() | texts, format=st.sampled_from(["", "anthropic"]))
opaque = st.builds(Opaque, format=st.sampled_from(["anthropic", "openai_chat"]), block=extras)
words = st.builds(Text, text=texts, extra=extras)
names = st.none() | texts
messages = st.one_of(
    st.builds(Message, role=st.sampled_from(["system", "developer"]), parts=st.lists(words, max_size=2), extra=extras),
    st.builds(Message, role=st.just("user"), parts=st.lists(words | images | files | audios, max_size=2), name=names),
    st.builds(Message, role=st.just("assistant"), parts=st.lists(words | calls | thoughts | opaque, max_size=2)),
    st.builds(Message, role=st.just("tool"), parts=st.lists(results, min_size=1, max_size=2)),
)
schemas = st.none() | st.fixed_dictionaries({"type": st.just("object"), "properties": extras})
tools = st.builds(
    Tool, name=st.sampled_from(["f", "g"]), description=texts, parameters=schemas, strict=st.none() | st.booleans()
)
headers = st.dictionaries(
    st.sampled_from(["X-A", "x-a", "x-b"]), st.sampled_from(["1", "2", Secret("1"), Secret("3")]), max_size=2
)
settings = st.builds(
    Settings,
    max_tokens=st.sampled_from([None, 0, 1]),
    temperature=st.sampled_from([None, 0, 0.0, 1]),
    top_p=st.sampled_from([None, 0, 1]),
    stop=st.lists(texts, max_size=2).map(tuple),
    seed=st.sampled_from([None, 0, 1]),
    reasoning_effort=st.sampled_from([None, "none", "low"]),
    tool_choice=st.sampled_from([None, "auto", "none", "f"]),
    parallel_tool_calls=st.none() | st.booleans(),
    extra=extras,
    headers=headers,
)
outputs = st.sampled_from(
    [
        *(None, Output(Person), Output(Turned), Output(Person, name="other"), Output(str), Output(list[int])),
        *(Output(dict[str, int]), Output(dict[str, float]), Output(Literal["a", "b"]), Output(Literal["b", "a"])),
    ]
)
requests = st.builds(
    Request,
    messages=st.lists(messages, min_size=1, max_size=2),
    tools=st.lists(tools, max_size=2),
    output=outputs,
    settings=settings | st.just(Settings()),
    described=st.booleans(),
)
