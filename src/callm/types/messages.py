"""What a conversation is made of: messages and their parts. Immutable; as JSON, each part is tagged by `type`."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

from callm.errors import ConfigError, OutputError, describe_type, quote

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: Final = ("system", "developer", "user", "assistant", "tool")

_MAGIC: Final = (  # how the formats that providers take begin
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


def sniff_media_type(data: bytes) -> str | None:
    """Return the media type that the first bytes of `data` show, or None."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    return next((media_type for magic, media_type in _MAGIC if data.startswith(magic)), None)


class _Part(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    pass


class Text(_Part, frozen=True, tag="text"):
    """Plain text. `extra` holds provider fields that the codec adds to the wire block as they are (cache marks)."""

    text: str
    extra: dict[str, Any] = {}


class _Media(_Part, frozen=True):
    """Bytes, an address or a provider's file id: exactly one of the three.

    Attributes:
        data: the file's bytes.
        url: an address; passed to the provider, never fetched here.
        file_id: the id the provider gave an uploaded file.
        media_type: for example `image/png`; read from the first bytes of `data` when not given.
        extra: provider fields that the codec adds to the wire block as they are.
    """

    data: bytes | None = None
    url: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    extra: dict[str, Any] = {}

    def __post_init__(self) -> None:
        name = type(self).__name__
        if sum(source is not None for source in (self.data, self.url, self.file_id)) != 1:
            raise ConfigError(f"{name} needs exactly one of data=, url= and file_id=")
        given: Any = self.data
        if given is not None and not isinstance(given, bytes):
            raise ConfigError(f"{name} data must be bytes, not {describe_type(given)}: pass Path(...).read_bytes()")
        if self.data is not None and self.media_type is None:
            media_type = sniff_media_type(self.data)
            if media_type is None:
                raise ConfigError(f"{name} needs media_type=: its first bytes are of no format known here")
            msgspec.structs.force_setattr(self, "media_type", media_type)


class Image(_Media, frozen=True, tag="image"):
    """An image. `detail` is how closely the model should look (OpenAI: auto, low, high)."""

    detail: str | None = None


class Audio(_Media, frozen=True, tag="audio"):
    """A recording."""


class File(_Media, frozen=True, tag="file"):
    """A document, for example a PDF. `name` is the file name shown to the model."""

    name: str | None = None


class ToolCall(_Part, frozen=True, tag="tool_call"):
    """The model's wish to call a tool. `arguments` is the JSON text as the model wrote it, possibly no JSON at all."""

    id: str
    name: str
    arguments: str = "{}"
    extra: dict[str, Any] = {}

    def parse(self) -> dict[str, Any]:
        """Return the arguments as a dictionary.

        Raises:
            OutputError: the model wrote something that is no JSON object.
        """
        try:
            return msgspec.json.decode(self.arguments, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise OutputError(
                f"the arguments of tool call {self.name!r} are no JSON object ({error}): {quote(self.arguments)}",
                text=self.arguments,
                problems=(str(error),),
            ) from error


class ToolResult(_Part, frozen=True, tag="tool_result"):
    """What a tool answered. `id` is that of the call; `content` the text, or parts where the provider takes them."""

    id: str
    content: str | tuple[Text | Image | File, ...] = ""
    is_error: bool = False
    name: str | None = None
    extra: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """The text of the result; parts that are no text are left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, Text))


class Reasoning(_Part, frozen=True, tag="reasoning"):
    """What the model thought, and what its provider wants back unchanged.

    Attributes:
        text: the visible thoughts; may be empty.
        signature: the provider's seal over them.
        redacted: thoughts that only the provider can read.
        format: the name of the wire format that made it; only that format sends it back.
        id: the provider's id of the block, where it has one.
        extra: other provider fields of the block, kept as they came.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    format: str = ""
    id: str | None = None
    extra: dict[str, Any] = {}


class Opaque(_Part, frozen=True, tag="opaque"):
    """A block of one wire format that has no meaning elsewhere (a server-side tool's result): kept and sent back as is."""

    format: str
    block: dict[str, Any]


Part: TypeAlias = Text | Image | Audio | File | ToolCall | ToolResult | Reasoning | Opaque
PARTS: Final = (Text, Image, Audio, File, ToolCall, ToolResult, Reasoning, Opaque)


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn: a role and its parts. `Message.user("text", Image(...))` is the short way to write one.

    Attributes:
        role: system, developer, user, assistant or tool.
        parts: what was said, in order.
        name: the speaker's name, where the provider has a place for it.
        extra: provider fields that the codec adds to the wire message as they are.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    extra: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ConfigError(f"message role must be one of {', '.join(ROLES)}, not {self.role!r}")
        given: Any = self.parts
        if type(given) is not tuple:
            if not hasattr(given, "__iter__"):
                raise ConfigError(
                    f"the parts of a {self.role} message must be a text or a list, not {describe_type(given)}"
                )
            several = (Text(given),) if isinstance(given, str) else tuple(given)
            msgspec.structs.force_setattr(self, "parts", several)
        parts: tuple[Any, ...] = self.parts
        for part in parts:
            if not isinstance(part, PARTS):
                names = ", ".join(kind.__name__ for kind in PARTS)
                raise ConfigError(f"a {self.role} message has a part of type {describe_type(part)}: use one of {names}")

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @classmethod
    def system(cls, *content: str | Part) -> Message:
        """Make an instruction to the model."""
        return cls("system", _parts(content))

    @classmethod
    def user(cls, *content: str | Part) -> Message:
        """Make a turn of the user."""
        return cls("user", _parts(content))

    @classmethod
    def assistant(cls, *content: str | Part) -> Message:
        """Make a turn of the model."""
        return cls("assistant", _parts(content))

    @classmethod
    def tool(cls, *results: ToolResult) -> Message:
        """Make the turn that answers the model's tool calls."""
        return cls("tool", results)


def _parts(content: tuple[str | Part, ...]) -> tuple[Part, ...]:
    return tuple([Text(item) if isinstance(item, str) else item for item in content])  # a generator costs twice as much
