"""Describes a setting's allowed values, from its type and limits, for error messages and ``configs/reference.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streamer.config import Config, Section

_KINDS: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "the path of a file",
    NoneType: "null",
}


_NOTHING = object()


def allowed(field: FieldInfo, value: object = _NOTHING) -> str:
    """Return a setting's allowed values, for example ``a whole number, 32 to 7680, or auto``.

    ``json_schema_extra={"allowed": …}`` of a field takes precedence, for limits that are hard to describe, such as a pattern.

    Args:
        value: the value found; if its type is right, only the limits are named, so that 0 gives ``1 to 120``.
    """
    extra = field.json_schema_extra
    if isinstance(extra, dict) and isinstance(text := extra.get("allowed"), str):
        return text
    alternatives = [_words(kind, [*field.metadata, *limits], value) for kind, limits in _alternatives(field.annotation)]
    return ", or ".join(alternatives)


def allowed_entry(field: FieldInfo, value: object) -> str:
    """Return the allowed values of an entry of a list setting.

    Args:
        value: the entry found; if its type is right, the description of the whole list is more helpful.
    """
    kinds = [pair for kind, _ in _alternatives(field.annotation) for pair in _entries(kind)]
    extra = field.json_schema_extra
    if isinstance(extra, dict) and isinstance(text := extra.get("allowed"), str) and type(value) in [kind for kind, _ in kinds]:
        return f"as in: {text}"
    return ", or ".join(_words(kind, limits, value) for kind, limits in kinds) or allowed(field)


def takes_text(field: FieldInfo) -> bool:
    """Return whether the setting may be text or a path."""
    return any(kind in (str, Path) for kind, _ in _alternatives(field.annotation))


def _entries(kind: Any) -> list[tuple[Any, list[Any]]]:
    """Return the types and limits of the entries of a list, or of a block of lists; empty for anything else."""
    if get_origin(kind) is Mapping:
        return [pair for inner, _ in _alternatives(get_args(kind)[1]) for pair in _entries(inner)]
    return _alternatives(get_args(kind)[0]) if get_origin(kind) is tuple else []


def options(field: FieldInfo) -> list[str]:
    """Return the literal words that a setting allows, for example ``auto``."""
    return [
        str(option) for kind, _ in _alternatives(field.annotation) if get_origin(kind) is Literal for option in get_args(kind)
    ]


def is_block(field: FieldInfo) -> bool:
    """Return whether the setting is a block of settings."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def setting_keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Yield all settings as dotted keys, for example ``video.fps``, in the order of the reference."""
    for key, field in model.model_fields.items():
        if is_block(field):
            assert isinstance(field.annotation, type)
            yield from setting_keys(field.annotation, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def is_mapping(field: FieldInfo) -> bool:
    """Return whether the setting is a block with keys that the user chooses."""
    return get_origin(field.annotation) is Mapping


def block_kinds(field: FieldInfo) -> dict[str, type[Section]]:
    """Return the blocks that a list setting may contain, by their ``kind``; empty for any other setting."""
    if get_origin(field.annotation) is not tuple:
        return {}
    kinds: dict[str, type[Section]] = {}
    for model, _ in _alternatives(get_args(field.annotation)[0]):
        if isinstance(model, type) and issubclass(model, Section):
            kinds |= dict.fromkeys(get_args(model.model_fields["kind"].annotation), model)
    return kinds


def _alternatives(annotation: Any, limits: Sequence[Any] = ()) -> list[tuple[Any, list[Any]]]:
    """Split a union into (type, limits) pairs."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return _alternatives(inner, [*limits, *metadata])
    if get_origin(annotation) in (Union, UnionType):
        return [pair for member in get_args(annotation) for pair in _alternatives(member, limits)]
    return [(annotation, list(limits))]


def _words(kind: Any, limits: Iterable[Any], value: object) -> str:
    if get_origin(kind) is Literal:
        return _listed(str(option) for option in get_args(kind))
    if get_origin(kind) is tuple:
        elements = (_words(inner, inner_limits, _NOTHING) for inner, inner_limits in _alternatives(get_args(kind)[0]))
        return ", ".join(part for part in (f"a list, each {', or '.join(elements)}", _limit_words(limits, "entries")) if part)
    word = _KINDS.get(kind, "a block of settings")
    limit = _limit_words(limits)
    if limit and (type(value) is kind or (kind is float and type(value) is int)):
        return limit
    return f"{word}, {limit}" if limit and word != "null" else word


def _limit_words(limits: Iterable[Any], counted: str = "characters") -> str:
    low = high = words = ""
    for limit in _flat(limits):
        match limit:
            case annotated_types.Ge(ge):
                low = f"{_number(ge)}"
            case annotated_types.Gt(gt):
                low = f"above {_number(gt)}"
            case annotated_types.Le(le):
                high = f"{_number(le)}"
            case annotated_types.Lt(lt):
                high = f"below {_number(lt)}"
            case annotated_types.MultipleOf(step):
                words = "even" if step == 2 else f"a multiple of {_number(step)}"
            case annotated_types.MinLen(length):
                words = "not empty" if length == 1 else f"at least {length} {counted}"
            case annotated_types.MaxLen(length):
                words += f"{', ' * bool(words)}at most {length} {counted}"
            case _:
                pass
    if low and high:
        span = (
            f"{low} to {high}"
            if low[0] != "a" and high[0] != "b"
            else f"{low} and {high if high[0] == 'b' else f'up to {high}'}"
        )
    elif low:
        span = low if low[0] == "a" else f"{low} or more"
    else:
        span = high if not high or high[0] == "b" else f"{high} or less"
    return ", ".join(part for part in (words, span) if part)


def _flat(limits: Iterable[Any]) -> Iterable[Any]:
    for limit in limits:
        if isinstance(limit, FieldInfo):
            yield from _flat(limit.metadata)
        elif isinstance(limit, annotated_types.GroupedMetadata):
            yield from limit
        else:
            yield limit


def _number(value: Any) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _listed(options: Iterable[str]) -> str:
    *firsts, last = options
    return f"{', '.join(firsts)} or {last}" if firsts else last
