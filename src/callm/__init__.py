"""callm: call language models like functions. Typed in, typed out, streaming, from any provider.

The names below are the public API. They are imported when first used, so that `import callm` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from callm.version import __version__ as __version__

if TYPE_CHECKING:
    from callm.calls import ResponseStream
    from callm.client import Client
    from callm.config.entries import Breaking, Caching, Hedging, RateLimits
    from callm.errors import (
        AllFailed,
        APIError,
        AuthError,
        BudgetExceeded,
        CallCancelled,
        CallmError,
        CallTimeout,
        CircuitOpen,
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
        QueueTimeout,
        QuotaError,
        RateLimitError,
        RefusalError,
        ServerError,
        TransportError,
        TruncatedStream,
        UnsupportedError,
    )
    from callm.fronts.function import Function, function
    from callm.fronts.mapping import Results
    from callm.fronts.values import ValueStream
    from callm.io.aiohttp_transport import AiohttpTransport
    from callm.io.call import Call, Dual
    from callm.io.sqlite_store import SQLiteStore
    from callm.io.stores import MemoryStore
    from callm.io.transport_config import TransportConfig
    from callm.middleware.breaker import Breaker
    from callm.middleware.budget import Budget, Cap
    from callm.middleware.cache import Cache, CacheStore
    from callm.middleware.checked import Checked
    from callm.middleware.continuation import Continuation
    from callm.middleware.deadline import Deadline
    from callm.middleware.fallback import Fallback
    from callm.middleware.hedge import Hedge
    from callm.middleware.limiter import Limiter
    from callm.middleware.preset import Preset
    from callm.middleware.rate_limit import RateLimit
    from callm.middleware.retry import Retry
    from callm.middleware.round_robin import RoundRobin
    from callm.middleware.timeout import Timeout
    from callm.parse.output import Change, Check, Output, Reading, parse_partial
    from callm.parse.output import parse_text as parse  # to type checkers only the function that the package also is
    from callm.parse.partial_value import StreamState
    from callm.parse.policies import FAITHFUL, LENIENT, STRICT, Policy
    from callm.policy.backoff import Backoff
    from callm.policy.breaker import Circuit
    from callm.policy.latency import Latency
    from callm.policy.price import Price
    from callm.policy.retry_budget import RetryBudget
    from callm.schema.model import Constraint, Stream
    from callm.streaming import Accumulator, SSEStream, open_sse
    from callm.types import (
        AttemptFailed,
        Audio,
        AudioDelta,
        CacheHit,
        CallOptions,
        Cancel,
        ChoiceEvent,
        Citation,
        Collect,
        Collector,
        Continued,
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
        Restarted,
        Role,
        Secret,
        Selected,
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
        Waited,
    )
    from callm.wire.codec import Codec, HTTPRequest, Quirks, Target
    from callm.wire.providers import Provider
    from callm.wire.sse import ServerSentEvent, SSEDecoder

_HOMES = {
    "callm.calls": "ResponseStream",
    "callm.client": "Client",
    "callm.config.entries": "Breaking Caching Hedging RateLimits",
    "callm.errors": (
        "APIError AllFailed AuthError BudgetExceeded CallCancelled CallTimeout CallmError CircuitOpen "
        "ConfigError ConflictError ConstraintError ContentFilterError ContextTooLongError DeadlineExceeded "
        "InvalidRequestError LengthError LimitError NotFoundError OutputError OverloadedError "
        "PermissionDeniedError PoolTimeout ProtocolError ProviderTimeoutError QueueTimeout QuotaError "
        "RateLimitError RefusalError ServerError TransportError TruncatedStream UnsupportedError"
    ),
    "callm.fronts.function": "Function function",
    "callm.fronts.mapping": "Results",
    "callm.fronts.values": "ValueStream",
    "callm.io.aiohttp_transport": "AiohttpTransport",
    "callm.io.call": "Call Dual",
    "callm.io.sqlite_store": "SQLiteStore",
    "callm.io.stores": "MemoryStore",
    "callm.io.transport_config": "TransportConfig",
    "callm.middleware.breaker": "Breaker",
    "callm.middleware.budget": "Budget Cap",
    "callm.middleware.cache": "Cache CacheStore",
    "callm.middleware.checked": "Checked",
    "callm.middleware.continuation": "Continuation",
    "callm.middleware.deadline": "Deadline",
    "callm.middleware.fallback": "Fallback",
    "callm.middleware.hedge": "Hedge",
    "callm.middleware.limiter": "Limiter",
    "callm.middleware.preset": "Preset",
    "callm.middleware.rate_limit": "RateLimit",
    "callm.middleware.retry": "Retry",
    "callm.middleware.round_robin": "RoundRobin",
    "callm.middleware.timeout": "Timeout",
    "callm.parse.output": "Change Check Output Reading parse_partial",
    "callm.parse.partial_value": "StreamState",
    "callm.parse.policies": "FAITHFUL LENIENT Policy STRICT",
    "callm.policy.backoff": "Backoff",
    "callm.policy.breaker": "Circuit",
    "callm.policy.latency": "Latency",
    "callm.policy.price": "Price",
    "callm.policy.retry_budget": "RetryBudget",
    "callm.schema.model": "Constraint Stream",
    "callm.streaming": "Accumulator SSEStream open_sse",
    "callm.types": (
        "AttemptFailed Audio AudioDelta CacheHit CallOptions Cancel ChoiceEvent Citation Collect Collector "
        "Continued Event Events File Finish FinishReason Image LogProbs Message Metadata Model Notice Opaque "
        "Part PartAdded Reasoning ReasoningDelta ReasoningEnd RefusalDelta Request Response ResponseHeaders "
        "ResponseStart Restarted Role Secret Selected Settings Text TextDelta Timeouts Tool ToolCall "
        "ToolCallDelta ToolCallEnd ToolCallStart ToolResult Usage UsageReport Waited"
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
    "AllFailed",
    "AttemptFailed",
    "Audio",
    "AudioDelta",
    "AuthError",
    "Backoff",
    "Breaker",
    "Breaking",
    "Budget",
    "BudgetExceeded",
    "Cache",
    "CacheHit",
    "CacheStore",
    "Caching",
    "Call",
    "CallCancelled",
    "CallOptions",
    "CallTimeout",
    "CallmError",
    "Cancel",
    "Cap",
    "Change",
    "Check",
    "Checked",
    "ChoiceEvent",
    "Circuit",
    "CircuitOpen",
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
    "Continuation",
    "Continued",
    "Deadline",
    "DeadlineExceeded",
    "Dual",
    "Event",
    "Events",
    "Fallback",
    "File",
    "Finish",
    "FinishReason",
    "Function",
    "HTTPRequest",
    "Hedge",
    "Hedging",
    "Image",
    "InvalidRequestError",
    "Latency",
    "LengthError",
    "LimitError",
    "Limiter",
    "LogProbs",
    "MemoryStore",
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
    "Preset",
    "Price",
    "ProtocolError",
    "Provider",
    "ProviderTimeoutError",
    "QueueTimeout",
    "Quirks",
    "QuotaError",
    "RateLimit",
    "RateLimitError",
    "RateLimits",
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
    "Restarted",
    "Results",
    "Retry",
    "RetryBudget",
    "Role",
    "RoundRobin",
    "SQLiteStore",
    "SSEDecoder",
    "SSEStream",
    "Secret",
    "Selected",
    "ServerError",
    "ServerSentEvent",
    "Settings",
    "Stream",
    "StreamState",
    "Target",
    "Text",
    "TextDelta",
    "Timeout",
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
    "Waited",
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
