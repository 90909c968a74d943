"""The fields of a class, however it was declared: pydantic, dataclass, TypedDict, NamedTuple, msgspec."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, Literal, NotRequired, Required, get_origin, get_type_hints

import msgspec

from callm.schema.model import NO_DEFAULT, ClassKind


class UnsupportedType(Exception):  # it becomes a ConfigError where the path to the type is known
    """A type can't come from JSON. The message says why, and what to write instead."""


class Declared(msgspec.Struct, frozen=True):
    """A field as its class declares it. `metadata` is what stands beside the annotation."""

    name: str
    annotation: Any
    alias: str | None = None
    description: str | None = None
    required: bool = True
    default: Any = NO_DEFAULT
    metadata: tuple[Any, ...] = ()


Names = Mapping[str, Any]


def class_kind(cls: Any) -> ClassKind | None:
    """Return how `cls` was declared, or None if its fields aren't declared."""
    if hasattr(cls, "__pydantic_fields__"):
        return "pydantic"
    if issubclass(cls, msgspec.Struct):
        return "struct"
    if hasattr(cls, "__required_keys__"):
        return "typed_dict"
    if hasattr(cls, "_field_defaults"):
        return "named_tuple"
    return "dataclass" if dataclasses.is_dataclass(cls) else None


def class_fields(cls: Any, kind: ClassKind, names: Names) -> list[Declared]:
    """Return the fields of `cls` in order. `names` are those that its annotations may use beside its module's.

    Raises:
        UnsupportedType: they can't be read.
    """
    return _READERS[kind](cls, names)


def class_description(cls: type) -> str | None:
    """Return the docstring that somebody wrote for `cls`, or None."""
    generic = getattr(cls, "__pydantic_generic_metadata__", None)
    cls = (generic and generic["origin"]) or cls
    text = cls.__dict__.get("__doc__")
    # Dataclasses and named tuples without a docstring get their signature as one.
    return inspect.cleandoc(text) if text and not text.startswith(f"{cls.__name__}(") else None


def is_open(cls: Any) -> bool:
    """Whether `cls` keeps keys that are no fields of its own."""
    return bool(_config(cls).get("extra") == "allow")


def type_hints(holder: Any, names: Names) -> dict[str, Any]:
    """Return the annotations of `holder`, with forward references resolved.

    Raises:
        UnsupportedType: one can't be.
    """
    try:
        return get_type_hints(holder, localns=dict(names), include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise UnsupportedType(
            f"its annotations can't be resolved ({error}): declare the types it uses at the top of its module"
        ) from error


def _pydantic(cls: Any, _: Names) -> list[Declared]:
    if not cls.__pydantic_complete__:
        _complete(cls)
    by_alias = _config(cls).get("validate_by_alias", True)
    fields = [_pydantic_field(name, info) for name, info in cls.__pydantic_fields__.items() if info.init is not False]
    return fields if by_alias else [msgspec.structs.replace(field, alias=None) for field in fields]


def _config(cls: Any) -> Mapping[str, Any]:
    return getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", None) or {}


def _complete(cls: Any) -> None:
    rebuild = getattr(cls, "model_rebuild", None)
    try:
        if rebuild is None:
            sys.modules["pydantic.dataclasses"].rebuild_dataclass(cls)
        else:
            rebuild()
    except NameError as error:
        raise UnsupportedType(
            f"{cls.__name__} is not fully defined ({str(error).splitlines()[0]}): declare the types it uses at the top of its module"
        ) from error


def _pydantic_field(name: str, info: Any) -> Declared:
    required = info.is_required()
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    has_default = not required and info.default_factory is None
    return Declared(
        name,
        info.annotation,
        _wire(alias, name),
        info.description,
        required=required,
        default=info.default if has_default else NO_DEFAULT,
        metadata=tuple(info.metadata),
    )


def _wire(alias: Any, name: str) -> str | None:
    """Return the one name of `alias` that JSON can use."""
    choices = getattr(alias, "choices", [alias])
    for choice in choices:
        if choice is None or isinstance(choice, str):
            return choice
    raise UnsupportedType(f"the alias path of {name!r} can't be shown to a model: give it an alias that is one name")


def _dataclass(cls: Any, names: Names) -> list[Declared]:
    hints = type_hints(cls, names)
    for name, hint in hints.items():
        if isinstance(hint, dataclasses.InitVar):
            raise UnsupportedType(f"the InitVar {name!r} can't be read from JSON: make it a field")
    return [_dataclass_field(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init]


def _dataclass_field(field: dataclasses.Field[Any], annotation: Any) -> Declared:
    if type(field.default).__name__ == "FieldInfo":  # pydantic reads `x: int = Field(...)` in plain dataclasses too
        declared = _pydantic_field(field.name, field.default)
        return msgspec.structs.replace(declared, annotation=annotation)
    missing = dataclasses.MISSING
    return Declared(
        field.name,
        annotation,
        description=field.metadata.get("description"),
        required=field.default is missing and field.default_factory is missing,
        default=NO_DEFAULT if field.default is missing else field.default,
    )


def _typed_dict(cls: Any, names: Names) -> list[Declared]:
    return [_typed_dict_field(cls, name, hint) for name, hint in type_hints(cls, names).items()]


def _typed_dict_field(cls: Any, name: str, hint: Any) -> Declared:
    # Where annotations are strings, `__required_keys__` knows nothing of the qualifiers in them.
    required = name in cls.__required_keys__
    metadata: tuple[Any, ...] = ()
    while (origin := get_origin(hint)) is not None:
        if origin is Annotated:
            metadata = (*hint.__metadata__, *metadata)
            hint = hint.__origin__
            continue
        if origin is Required or origin is NotRequired:
            required = origin is Required
        elif getattr(origin, "_name", None) != "ReadOnly":
            break
        hint = hint.__args__[0]
    return Declared(name, hint, required=required, metadata=metadata)


def _named_tuple(cls: Any, names: Names) -> list[Declared]:
    defaults = cls._field_defaults
    hints = type_hints(cls, names)
    if len(hints) < len(cls._fields):
        raise UnsupportedType(f"the fields of {cls.__name__} have no types: make it a typing.NamedTuple")
    return [
        Declared(name, hints[name], required=name not in defaults, default=defaults.get(name, NO_DEFAULT))
        for name in cls._fields
    ]


def _struct(cls: Any, _: Names) -> list[Declared]:
    config = cls.__struct_config__
    if config.array_like:
        raise UnsupportedType(f"{cls.__name__} is array_like, so a model can't see its fields' names: leave that out")
    try:
        infos: Iterable[Any] = msgspec.structs.fields(cls)
    except (NameError, TypeError) as error:
        raise UnsupportedType(
            f"its annotations can't be resolved ({error}): declare the types it uses at the top of its module"
        ) from error
    tag = [Declared(config.tag_field, Literal[config.tag])] if config.tag_field else []
    return tag + [
        Declared(
            info.name,
            info.type,
            info.encode_name,
            required=info.required,
            default=NO_DEFAULT if info.default is msgspec.NODEFAULT else info.default,
        )
        for info in infos
    ]


_READERS: Final[dict[ClassKind, Callable[[Any, Names], list[Declared]]]] = {
    "pydantic": _pydantic,
    "dataclass": _dataclass,
    "typed_dict": _typed_dict,
    "named_tuple": _named_tuple,
    "struct": _struct,
}
