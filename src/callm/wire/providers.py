"""Who speaks which format: a row for each vendor. A vendor that speaks an existing format is a row here and nothing else.

The rows name only what differs from the format. Sources are the vendors' own API references, as of November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Final, cast

import msgspec

from callm.errors import ConfigError
from callm.wire.codec import Codec, Quirks


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor or a server, and the format it speaks.

    Attributes:
        name: what stands before the separator in `provider/model`.
        format: the wire format, one of `FORMATS`, or a codec object of one's own.
        base_url: where its API begins; empty when only the user knows.
        key_env: environment variables that may hold the key, the first that is set wins.
        token_env: environment variables that may hold a token, sent as a bearer whatever header a key goes in.
        base_url_env: environment variables that may hold another address.
        key_required: whether a call without a key is refused before it is sent.
        header_env: headers taken from environment variables, by header name.
        headers: headers sent with every request.
        quirks: where it differs from the format.
    """

    name: str
    format: str | Codec
    base_url: str = ""
    key_env: tuple[str, ...] = ()
    token_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    key_required: bool = True
    header_env: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    quirks: Quirks = Quirks()


FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "anthropic": ("callm.wire.anthropic", "Anthropic"),
    "openai_chat": ("callm.wire.openai_chat", "OpenAIChat"),
}
"""The wire formats by name, and where their codecs are."""

_MAX_TOKENS: Final = Quirks(max_tokens="max_tokens")


def _openai_compatible(name: str, base_url: str, *key_env: str, quirks: Quirks = _MAX_TOKENS) -> Provider:
    return Provider(
        name=name,
        format="openai_chat",
        base_url=base_url,
        key_env=key_env,
        base_url_env=(f"{name.upper()}_BASE_URL",),
        quirks=quirks,
    )


def _own_server(name: str, base_url: str, *key_env: str) -> Provider:
    return msgspec.structs.replace(_openai_compatible(name, base_url, *key_env), key_required=False)


_ROWS: Final = (
    Provider(
        name="openai",
        format="openai_chat",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        header_env={"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"},
    ),
    Provider(
        name="anthropic",
        format="anthropic",
        base_url="https://api.anthropic.com",
        key_env=("ANTHROPIC_API_KEY",),
        token_env=("ANTHROPIC_AUTH_TOKEN",),
        base_url_env=("ANTHROPIC_BASE_URL",),
        quirks=Quirks(auth="x-api-key"),
    ),
    _openai_compatible(
        "deepseek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        quirks=Quirks(
            max_tokens="max_tokens",
            structured="json_object",
            seed=None,
            parallel_tool_calls=False,
            echo_reasoning="reasoning_content",
        ),
    ),
    _openai_compatible("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", quirks=Quirks()),
    _openai_compatible("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    _openai_compatible(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        quirks=Quirks(max_tokens="max_tokens", echo_reasoning="reasoning_details"),
    ),
    _openai_compatible(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        quirks=Quirks(
            max_tokens="max_tokens",
            seed="random_seed",
            stream_options=False,
            required="any",
            echo_reasoning="content",
        ),
    ),
    _openai_compatible("xai", "https://api.x.ai/v1", "XAI_API_KEY", quirks=Quirks()),
    _openai_compatible(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
    ),
    _openai_compatible("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY", "CO_API_KEY"),
    _own_server("ollama", "http://localhost:11434/v1", "OLLAMA_API_KEY"),
    _own_server("vllm", "http://localhost:8000/v1", "VLLM_API_KEY"),
    _own_server("llamacpp", "http://localhost:8080/v1", "LLAMACPP_API_KEY"),
    _own_server("lmstudio", "http://localhost:1234/v1", "LMSTUDIO_API_KEY"),
    Provider(name="local", format="openai_chat", base_url="local:", key_required=False, quirks=_MAX_TOKENS),
    Provider(
        name="local-anthropic",
        format="anthropic",
        base_url="local:",
        key_required=False,
        quirks=Quirks(structured="none", auth="x-api-key"),  # the runtime ignores a schema in this format
    ),
)

PROVIDERS: Final[Mapping[str, Provider]] = {row.name: row for row in _ROWS}
"""The providers known here, by name."""


def codec(format_name: str | Codec) -> Codec:
    """Return the codec of a format.

    Raises:
        ConfigError: no format has this name.
    """
    if not isinstance(format_name, str):
        return format_name
    if format_name not in FORMATS:
        raise ConfigError(f"unknown wire format {format_name!r}: use one of {', '.join(sorted(FORMATS))}")
    module, name = FORMATS[format_name]
    return cast("Codec", getattr(import_module(module), name)())


def split_model(text: str, known: Iterable[str]) -> tuple[str, str]:
    """Split `provider/model` or `provider:model` at the first separator; the rest may hold more of both.

    Raises:
        ConfigError: there is no separator, nothing behind it, or no such provider.
    """
    cut = min((place for place in (text.find("/"), text.find(":")) if place >= 0), default=-1)
    provider, model = text[:cut].strip(), text[cut + 1 :].strip()
    if cut < 0 or not provider:
        raise ConfigError(
            f"model {text!r} has no provider: write 'provider/model', for example 'openai/{text.strip('/:')}'"
        )
    names = sorted(known)
    if provider not in names:
        import difflib  # noqa: PLC0415  # 2 ms, for a message

        close = difflib.get_close_matches(provider, names, 1, 0.75)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
        raise ConfigError(f"model {text!r} names the unknown provider {provider!r}: {hint}")
    if not model:
        raise ConfigError(f"model {text!r} has nothing behind the provider: write '{provider}/model'")
    return provider, model
