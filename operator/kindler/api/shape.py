"""Reads a Block's fields: the type, markers and nested Block of each, without `| None` and Annotated."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from kindler.api.base import Block


def bare(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type itself and its markers: `Annotated[str, MaxLen(63)] | None` gives `str` and `(MaxLen(63),)`."""
    if get_origin(annotation) is Annotated:
        inner, *own = get_args(annotation)
        kind, more = bare(inner)
        return kind, (*more, *own)
    if get_origin(annotation) in (Union, types.UnionType):
        options = [a for a in get_args(annotation) if a is not type(None)]
        if len(options) == 1:
            return bare(options[0])
    return annotation, ()


def markers(info: FieldInfo) -> tuple[Any, ...]:
    """All markers of a field.

    pydantic puts the markers of `Annotated[X, ...]` into the field's metadata, and leaves those of
    `Annotated[X, ...] | None` in the annotation.
    """
    return (*bare(info.annotation)[1], *info.metadata)


def children(info: FieldInfo) -> type[Block] | None:
    """The Block that a field holds, directly or as items of a list. None if the field holds no Block."""
    return next(_blocks(bare(info.annotation)[0]), None)


def _blocks(kind: Any) -> Iterator[type[Block]]:
    if isinstance(kind, type) and issubclass(kind, Block):
        yield kind
    elif get_origin(kind) is tuple:
        yield from _blocks(bare(get_args(kind)[0])[0])
