"""The table of providers, and how a model's name is split."""

import re

import pytest

from callm.errors import ConfigError
from callm.wire.codec import Codec
from callm.wire.providers import FORMATS, PROVIDERS, codec, split_model


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai/gpt-5", ("openai", "gpt-5")),
        ("openai:gpt-5", ("openai", "gpt-5")),
        ("openrouter/meta-llama/llama-4:free", ("openrouter", "meta-llama/llama-4:free")),
        ("openrouter:meta-llama/llama-4:free", ("openrouter", "meta-llama/llama-4:free")),
        ("ollama/llama3:8b", ("ollama", "llama3:8b")),
        ("ollama:hf.co/some/model:Q4", ("ollama", "hf.co/some/model:Q4")),
        ("local//srv/models/m.gguf", ("local", "/srv/models/m.gguf")),
        ("local/models/m.gguf", ("local", "models/m.gguf")),
        (" openai / gpt-5 ", ("openai", "gpt-5")),
    ],
)
def test_a_model_string_is_split_at_its_first_separator(text, expected):
    assert split_model(text, PROVIDERS) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gpt-5", "write 'provider/model', for example 'openai/gpt-5'"),
        ("", "has no provider"),
        ("/gpt-5", "has no provider"),
        ("opneai/gpt-5", "did you mean 'openai'?"),
        ("meta-llama/llama", "unknown provider 'meta-llama': known are anthropic"),
        ("openai/", "has nothing behind the provider"),
        ("anthropic: ", "has nothing behind the provider"),
    ],
)
def test_a_wrong_model_string_says_what_is_wrong(text, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        split_model(text, PROVIDERS)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_each_format_has_a_codec_of_its_name(name):
    assert codec(name).format == name


def test_an_unknown_format_is_refused_by_name():
    with pytest.raises(ConfigError, match="unknown wire format 'soap': use one of anthropic, openai_chat"):
        codec("soap")


def test_a_codec_object_is_its_own_format():
    mine: Codec = codec("openai_chat")
    assert codec(mine) is mine


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=lambda row: row.name)
def test_each_row_is_complete(row):
    assert row.format in FORMATS
    assert row.base_url
    assert not row.base_url.endswith("/")
    assert row.key_env or not row.key_required
    assert row.base_url.startswith(("https://", "http://localhost", "local:"))


def test_every_vendor_of_the_dialects_has_a_row():
    vendors = "openai groq together openrouter deepseek mistral xai ollama vllm llamacpp lmstudio gemini cohere"
    assert set(vendors.split()) <= set(PROVIDERS)
