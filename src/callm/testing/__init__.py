"""Doubles for tests, ours and yours: a scripted model, canned and recorded transports, and a server that fails on command."""

from callm.testing.answers import Answer
from callm.testing.canned_transport import CannedTransport
from callm.testing.fault import PRESETS, Fault, parse_fault
from callm.testing.fault_connection import ReceivedRequest
from callm.testing.fault_server import FaultServer
from callm.testing.key_limits import KeyLimit
from callm.testing.replay import RecordingTransport, ReplayTransport
from callm.testing.scripted_model import ScriptedModel

__all__ = [
    "PRESETS",
    "Answer",
    "CannedTransport",
    "Fault",
    "FaultServer",
    "KeyLimit",
    "ReceivedRequest",
    "RecordingTransport",
    "ReplayTransport",
    "ScriptedModel",
    "parse_fault",
]
