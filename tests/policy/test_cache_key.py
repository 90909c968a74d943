"""The key of a stored answer: whatever changes what is sent changes the key."""

import gc
import os
import subprocess
import sys
from copy import deepcopy
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import CallmError, ConfigError
from callm.io.endpoint import Endpoint
from callm.middleware.fallback import Fallback
from callm.middleware.hedge import Hedge
from callm.middleware.preset import Preset
from callm.middleware.retry import Retry
from callm.parse.output import Output
from callm.parse.policies import LENIENT, STRICT
from callm.policy import cache_key as module
from callm.policy.cache_key import cache_key, identity_of
from callm.testing import CannedTransport, ScriptedModel
from callm.types import (
    Audio,
    CallOptions,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Request,
    Secret,
    Settings,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    reveal,
)
from callm.wire.anthropic import Anthropic
from callm.wire.codec import Quirks, Target
from callm.wire.openai_chat import OpenAIChat
from tests.policy.draws import Person, Turned, requests

CODECS = (OpenAIChat(), Anthropic())
TARGET = Target("m", "https://api.example.com/v1", Secret("key"), "p")
MODEL = ScriptedModel(name="p/m")


def key(request, model=MODEL, salt=""):
    return cache_key(request, identity_of(model), salt)


def ask(*messages, **fields):
    return Request(messages or (Message.user("hi"),), **fields)


def wire(request, codec):
    """Return what is sent, or None if it can't be."""
    try:
        sent = codec.encode(request, TARGET)
    except CallmError:
        return None
    return sent.body, {name: reveal(value) for name, value in sent.headers.items()}


@given(requests, requests)
def test_requests_that_are_sent_differently_have_different_keys(one, other):
    if any(wire(one, codec) != wire(other, codec) for codec in CODECS):
        assert key(one) != key(other)


@given(requests, st.data())
def test_a_change_of_one_thing_that_shows_on_the_wire_changes_the_key(one, draw):
    field = draw.draw(st.sampled_from(["messages", "tools", "output", "described", "settings"]))
    other = msgspec.structs.replace(one, **{field: getattr(draw.draw(requests), field)})
    if any(wire(one, codec) != wire(other, codec) for codec in CODECS):
        assert key(one) != key(other)


@given(requests)
def test_equal_requests_have_equal_keys(request):
    copied = msgspec.structs.replace(deepcopy(msgspec.structs.replace(request, output=None)), output=request.output)
    assert key(copied) == key(request)


def test_an_equal_type_declared_again_gives_the_same_key():
    assert key(ask(output=Output(Person))) == key(ask(output=Output(Person)))


@pytest.mark.parametrize("change", [{"stream": True}, {"options": CallOptions(cache="refresh", tags={"a": "b"})}])
def test_the_stream_flag_and_the_options_change_nothing(change):
    assert key(ask(**change)) == key(ask())


CHANGED = {
    "messages": (Message.user("ho"),),
    "model": "p/n",
    "tools": (Tool("f"),),
    "output": Output(int),
    "settings": Settings(seed=1),
    "described": True,
}


def test_every_field_of_a_request_but_the_stream_flag_and_the_options_changes_the_key():
    assert set(Request.__struct_fields__) - set(CHANGED) == {"stream", "options"}
    keys = [key(ask()), *(key(msgspec.structs.replace(ask(), **{name: value})) for name, value in CHANGED.items())]
    assert len(set(keys)) == len(keys)


SETTINGS: dict[str, Any] = {
    "max_tokens": 0,
    "temperature": 0.0,
    "top_p": 0.0,
    "stop": ("",),
    "seed": 0,
    "reasoning_effort": "",
    "tool_choice": "",
    "parallel_tool_calls": False,
    "extra": {"a": None},
    "headers": {"a": ""},
}


def test_every_field_of_the_settings_changes_the_key_even_with_a_value_that_is_false():
    assert set(SETTINGS) == set(Settings.__struct_fields__)
    keys = [key(ask()), *(key(ask(settings=Settings(**{name: value}))) for name, value in SETTINGS.items())]
    assert len(set(keys)) == len(keys)


PARTS: list[Part] = [
    Text("a"),
    Text("a", extra={"a": 1}),
    Image(b"a", media_type="image/png"),
    Image(b"a", media_type="image/jpeg"),
    Image(b"a", media_type="image/png", detail="low"),
    Image(url="YQ=="),
    Image(file_id="YQ=="),
    Audio(b"a", media_type="image/png"),
    File(b"a", media_type="image/png"),
    File(b"a", media_type="image/png", name="a"),
    ToolCall("a", "b"),
    ToolCall("b", "a"),
    ToolCall("a", "b", "{ }"),
    ToolResult("a", "b"),
    ToolResult("a", (Text("b"),)),
    ToolResult("a", "b", is_error=True),
    ToolResult("a", "b", name="c"),
    Reasoning("a"),
    Reasoning(redacted="a"),
    Reasoning("a", signature="s"),
    Reasoning("a", format="f"),
    Reasoning("a", id="i"),
    Opaque("a", {}),
    Opaque("a", {"b": 1, "c": 2}),
    Opaque("a", {"c": 2, "b": 1}),
]


def test_every_field_and_kind_of_part_changes_the_key():
    keys = [key(ask(Message("user", (part,)))) for part in PARTS]
    assert len(set(keys)) == len(PARTS)


def test_where_one_text_ends_and_the_next_begins_changes_the_key():
    variants = [
        ask(Message.user("ab")),
        ask(Message.user("a", "b")),
        ask(Message.user("b", "a")),
        ask(Message.user("a"), Message.user("b")),
        ask(Message.system("a"), Message.user("b")),
        ask(Message("user", (Text("ab"),), name="x")),
        ask(Message("user", (Text("ab"),), extra={"name": "x"})),
    ]
    assert len({key(variant) for variant in variants}) == len(variants)
    assert key(ask(), salt="a") != key(ask(), salt="b") != key(ask())


def test_header_names_have_no_case_and_no_order_and_secrets_count_by_what_they_hide():
    one = ask(settings=Settings(headers={"X-A": "1", "x-b": Secret("2")}))
    assert key(one) == key(ask(settings=Settings(headers={"x-b": "2", "x-a": "1"})))
    assert key(one) != key(ask(settings=Settings(headers={"x-b": Secret("3"), "x-a": "1"})))
    assert key(one) != key(ask(settings=Settings(headers={"x-b": "1", "x-a": "2"})))


def test_the_order_of_a_schemas_properties_and_the_policy_change_the_key():
    variants = [Person, Turned]
    keys = {key(ask(output=Output(variant, name="o"))) for variant in variants}
    keys |= {key(ask(output=Output(Person, name="o", policy=policy))) for policy in (STRICT, LENIENT)}
    assert len(keys) == 4


def endpoint(codec=CODECS[0], **changes):
    return Endpoint(codec, msgspec.structs.replace(TARGET, **changes), CannedTransport())


def test_an_endpoint_is_told_by_its_model_address_format_quirks_and_open_headers():
    endpoints = [
        endpoint(),
        endpoint(CODECS[1]),
        endpoint(model="n"),
        endpoint(provider="q"),
        endpoint(base_url="https://api.example.com/v2"),
        endpoint(quirks=Quirks(system="developer")),
        endpoint(headers={"beta": "1"}),
    ]
    assert len({key(ask(), one) for one in endpoints}) == len(endpoints)
    assert key(ask(), endpoint(api_key=Secret("other"))) == key(ask(), endpoint())
    assert key(ask(), endpoint(headers={"token": Secret("t")})) == key(ask(), endpoint())


def test_what_is_around_an_endpoint_does_not_count_but_which_models_there_are_does():
    one, other = endpoint(), endpoint(model="n")
    assert key(ask(), Retry(Retry(one))) == key(ask(), one)
    assert key(ask(), Fallback((one, other))) != key(ask(), Fallback((other, one))) != key(ask(), one)
    assert key(ask(), Hedge((one, one))) == key(ask(), one)


def test_settings_that_a_model_inside_lays_under_the_requests_count():
    warm = [Preset(endpoint(), Settings(temperature=degrees), {}) for degrees in (0.0, 1.0)]
    assert len({key(ask(), model) for model in (*warm, endpoint())}) == 3
    slow = Preset(endpoint(), Settings(temperature=0.0), {"total": None})
    assert key(ask(), slow) == key(ask(), warm[0])


def test_the_models_name_in_the_request_counts_only_where_a_model_may_read_it():
    named = ask(model="p/n")
    assert key(named, Fallback((endpoint(), endpoint()))) == key(ask(), Fallback((endpoint(), endpoint())))
    assert key(named, Fallback((endpoint(), MODEL))) != key(ask(), Fallback((endpoint(), MODEL)))


class Spec:
    """An output of somebody else's, which counts how often it is described."""

    name = "spec"

    def __init__(self, description="say a number"):
        self.description, self.described = description, 0

    def json_schema(self, dialect):
        return None

    def describe(self):
        self.described += 1
        return self.description

    def parse(self, text):
        return int(text)


class EqualSpec(Spec):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


def test_an_output_is_read_once_and_forgotten_with_it():
    spec = Spec()
    assert key(ask(output=spec)) == key(ask(output=spec)) != key(ask())
    assert spec.described == 1
    assert id(spec) in module._digests
    number = id(spec)
    del spec
    gc.collect()
    assert number not in module._digests


def test_an_output_that_can_not_be_referred_to_weakly_is_read_each_time():
    class Slotted:
        __slots__ = ("described", "description")
        name, json_schema, describe, parse, __init__ = "s", Spec.json_schema, Spec.describe, Spec.parse, Spec.__init__

    slotted = Slotted()
    assert key(ask(output=slotted)) == key(ask(output=slotted))
    assert slotted.described == 2


def test_outputs_that_claim_to_be_equal_are_told_apart():
    one, other = EqualSpec(), EqualSpec("say a word")
    assert key(ask(output=one)) != key(ask(output=other))


@pytest.mark.parametrize(
    ("value", "error"),
    [(object(), TypeError), ("\ud800", ValueError), (Secret(None), ConfigError)],
    ids=["object", "surrogate", "lost"],
)
def test_what_no_codec_can_send_has_no_key(value, error):
    with pytest.raises(error):
        key(ask(settings=Settings(extra={"a": value})))


def test_other_mappings_count_by_what_they_hold():
    class Given(dict[str, int]):
        pass

    plain = ask(settings=Settings(extra={"a": {"b": 1}}))
    for mapping in (Given(b=1), MappingProxyType({"b": 1})):
        assert key(ask(settings=Settings(extra={"a": mapping}))) == key(plain)


GOLDEN = "7795a42f5ad1785d5ef0470992f76b6b504328128c30b175bb205bc0b99f31ff"
PROGRAM = """
from tests.policy.golden import golden
print(golden())
"""


def test_the_key_of_this_request_is_the_same_in_every_version_and_process():
    """If this fails, the format of keys has changed: raise FORMAT, say so in CHANGELOG.md, and write the new key here."""
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([".", *sys.path])},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == GOLDEN
