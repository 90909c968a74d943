"""The answers of the BAML runtime itself: declarations, the name of a type and a text in, plain data out."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from types import ModuleType
from typing import Any

os.environ |= {"BAML_LOG": "off", "BOUNDARY_TELEMETRY": "off", "RUST_BACKTRACE": "0"}  # read when it is imported

from baml_py import BamlRuntime

NO_ANSWER = object()
"""Stands for an error."""

_FUNCTION = """
client<llm> Nobody {
  provider openai
  options {
    model "none"
    api_key "none"
  }
}
function Ask() -> %s {
  client Nobody
  prompt #"{{ ctx.output_format }}"#
}
"""


class _Enums(ModuleType):
    """Has no enums, so that their values come as names."""


class _Classes(ModuleType):
    """Has whatever class is asked for: it makes dictionaries of its fields."""

    def __getattr__(self, name: str) -> type:
        return type(name, (_Fields,), {})


class _Fields:
    """Stands for a class or what wraps a value; its values are dictionaries."""

    def __class_getitem__(cls, _: Any) -> type:
        return cls

    def __new__(cls, **fields: Any) -> Any:
        return fields

    @staticmethod
    def model_construct(_fields_set: Any = None, **fields: Any) -> Any:
        return fields

    @staticmethod
    def model_validate(fields: Any) -> Any:
        return dict(fields)


@lru_cache(maxsize=64)
def _runtime(source: str, kind: str) -> Any:
    return BamlRuntime.from_files("baml_src", {"main.baml": source + _FUNCTION % kind}, {})


def ask(source: str, kind: str, text: str, *, streaming: bool = False) -> Any:
    """Return what BAML reads `text` as, or NO_ANSWER. Declarations that it refuses raise."""
    runtime = _runtime(source, kind)
    context = runtime.create_context_manager()
    modules = _Enums("enums"), _Classes("classes"), _Classes("partial")
    try:
        return plain(runtime.parse_llm_response("Ask", text, *modules, streaming, context, None, None, {}))
    except Exception:  # its errors have no common class
        return NO_ANSWER


def plain(value: Any) -> Any:
    """Return a value such that equal values are equal in types and order, too."""
    if isinstance(value, dict):
        return ("object", [(key, plain(item)) for key, item in value.items()])
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return ("float", "nan")
    return value if isinstance(value, str) else (type(value).__name__, value)
