"""callm: call language models like functions. Typed in, typed out, streaming, from any provider.

The names below are the public API. They are imported when first used, so that `import callm` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from callm.version import __version__ as __version__

if TYPE_CHECKING:
    from callm import parse as parse
    from callm.calls import (
        ResponseStream,
    )
    from callm.client import (
        Client,
    )
    from callm.errors import (
        APIError,
        AuthError,
        CallCancelled,
        CallmError,
        CallTimeout,
        ConfigError,
        ConflictError,
        ConstraintError,
        ContentFilterError,
        ContextTooLongError,
        DeadlineExceeded,
        InvalidRequestError,
        LengthError,
        LimitError,
        NotFoundError,
        OutputError,
        OverloadedError,
        PermissionDeniedError,
        PoolTimeout,
        ProtocolError,
        ProviderTimeoutError,
        QuotaError,
        RateLimitError,
        RefusalError,
        ServerError,
        TransportError,
        TruncatedStream,
        UnsupportedError,
    )
    from callm.fronts.function import (
        Function,
        function,
    )
    from callm.fronts.mapping import (
        Results,
    )
    from callm.fronts.values import (
        ValueStream,
    )
    from callm.io.aiohttp_transport import (
        AiohttpTransport,
    )
    from callm.io.call import (
        Call,
        Dual,
    )
    from callm.io.transport_config import (
        TransportConfig,
    )
    from callm.parse.output import (
        Change,
        Check,
        Output,
        Reading,
        parse_partial,
    )
    from callm.parse.partial_value import (
        StreamState,
    )
    from callm.parse.policies import (
        FAITHFUL,
        LENIENT,
        STRICT,
        Policy,
    )
    from callm.schema.model import (
        Constraint,
        Stream,
    )
    from callm.streaming import (
        Accumulator,
        SSEStream,
        open_sse,
    )
    from callm.types import (
        Audio,
        AudioDelta,
        CallOptions,
        Cancel,
        ChoiceEvent,
        Citation,
        Collect,
        Collector,
        Event,
        Events,
        File,
        Finish,
        FinishReason,
        Image,
        LogProbs,
        Message,
        Metadata,
        Model,
        Notice,
        Opaque,
        Part,
        PartAdded,
        Reasoning,
        ReasoningDelta,
        ReasoningEnd,
        RefusalDelta,
        Request,
        Response,
        ResponseHeaders,
        ResponseStart,
        Role,
        Secret,
        Settings,
        Text,
        TextDelta,
        Timeouts,
        Tool,
        ToolCall,
        ToolCallDelta,
        ToolCallEnd,
        ToolCallStart,
        ToolResult,
        Usage,
        UsageReport,
    )
    from callm.wire.codec import (
        Codec,
        HTTPRequest,
        Quirks,
        Target,
    )
    from callm.wire.providers import (
        Provider,
    )
    from callm.wire.sse import (
        ServerSentEvent,
        SSEDecoder,
    )

_HOMES = {
    "callm.calls": "ResponseStream",
    "callm.client": "Client",
    "callm.errors": (
        "APIError AuthError CallCancelled CallTimeout CallmError ConfigError ConflictError ConstraintError "
        "ContentFilterError ContextTooLongError DeadlineExceeded InvalidRequestError LengthError LimitError "
        "NotFoundError OutputError OverloadedError PermissionDeniedError PoolTimeout ProtocolError "
        "ProviderTimeoutError QuotaError RateLimitError RefusalError ServerError TransportError "
        "TruncatedStream UnsupportedError"
    ),
    "callm.fronts.function": "Function function",
    "callm.fronts.mapping": "Results",
    "callm.fronts.values": "ValueStream",
    "callm.io.aiohttp_transport": "AiohttpTransport",
    "callm.io.call": "Call Dual",
    "callm.io.transport_config": "TransportConfig",
    "callm.parse.output": "Change Check Output Reading parse_partial",
    "callm.parse.partial_value": "StreamState",
    "callm.parse.policies": "FAITHFUL LENIENT Policy STRICT",
    "callm.schema.model": "Constraint Stream",
    "callm.streaming": "Accumulator SSEStream open_sse",
    "callm.types": (
        "Audio AudioDelta CallOptions Cancel ChoiceEvent Citation Collect Collector Event Events File Finish "
        "FinishReason Image LogProbs Message Metadata Model Notice Opaque Part PartAdded Reasoning "
        "ReasoningDelta ReasoningEnd RefusalDelta Request Response ResponseHeaders ResponseStart Role Secret "
        "Settings Text TextDelta Timeouts Tool ToolCall ToolCallDelta ToolCallEnd ToolCallStart ToolResult "
        "Usage UsageReport"
    ),
    "callm.wire.codec": "Codec HTTPRequest Quirks Target",
    "callm.wire.providers": "Provider",
    "callm.wire.sse": "SSEDecoder ServerSentEvent",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "FAITHFUL",
    "LENIENT",
    "STRICT",
    "APIError",
    "Accumulator",
    "AiohttpTransport",
    "Audio",
    "AudioDelta",
    "AuthError",
    "Call",
    "CallCancelled",
    "CallOptions",
    "CallTimeout",
    "CallmError",
    "Cancel",
    "Change",
    "Check",
    "ChoiceEvent",
    "Citation",
    "Client",
    "Codec",
    "Collect",
    "Collector",
    "ConfigError",
    "ConflictError",
    "Constraint",
    "ConstraintError",
    "ContentFilterError",
    "ContextTooLongError",
    "DeadlineExceeded",
    "Dual",
    "Event",
    "Events",
    "File",
    "Finish",
    "FinishReason",
    "Function",
    "HTTPRequest",
    "Image",
    "InvalidRequestError",
    "LengthError",
    "LimitError",
    "LogProbs",
    "Message",
    "Metadata",
    "Model",
    "NotFoundError",
    "Notice",
    "Opaque",
    "Output",
    "OutputError",
    "OverloadedError",
    "Part",
    "PartAdded",
    "PermissionDeniedError",
    "Policy",
    "PoolTimeout",
    "ProtocolError",
    "Provider",
    "ProviderTimeoutError",
    "Quirks",
    "QuotaError",
    "RateLimitError",
    "Reading",
    "Reasoning",
    "ReasoningDelta",
    "ReasoningEnd",
    "RefusalDelta",
    "RefusalError",
    "Request",
    "Response",
    "ResponseHeaders",
    "ResponseStart",
    "ResponseStream",
    "Results",
    "Role",
    "SSEDecoder",
    "SSEStream",
    "Secret",
    "ServerError",
    "ServerSentEvent",
    "Settings",
    "Stream",
    "StreamState",
    "Target",
    "Text",
    "TextDelta",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolCallEnd",
    "ToolCallStart",
    "ToolResult",
    "TransportConfig",
    "TransportError",
    "TruncatedStream",
    "UnsupportedError",
    "Usage",
    "UsageReport",
    "ValueStream",
    "__version__",
    "function",
    "open_sse",
    "parse",
    "parse_partial",
]


def __getattr__(name: str) -> object:
    if name == "parse":  # a package that is also a function
        return import_module("callm.parse")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'callm' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | _HOME.keys())
