"""Label and field selectors of query strings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.apiserver.refusal import bad_request

Match = Callable[[dict[str, Any]], bool]

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s,()]*)$")
_EXISTS = re.compile(r"^(?P<no>!?)\s*(?P<key>[^\s!=,()]+)$")


def matcher(label_selector: str, field_selector: str) -> Match:
    """A predicate: True for objects that both selectors match. Raises Refused (400) for an invalid selector."""
    terms = [_label_term(t) for t in _split(label_selector)] + [_field_term(t) for t in _split(field_selector)]
    return lambda obj: all(term(obj) for term in terms)


def _split(selector: str) -> list[str]:
    return [t.strip() for t in re.split(r",(?![^(]*\))", selector) if t.strip()]


def _label_term(term: str) -> Match:
    def labels(obj: dict[str, Any]) -> dict[str, str]:
        return obj["metadata"].get("labels") or {}

    if m := _SET.match(term):
        key, expected, values = m["key"], m["op"] == "in", {v.strip() for v in m["values"].split(",")}
        return lambda obj: (labels(obj).get(key) in values) is expected
    if m := _EQUAL.match(term):
        key, expected, value = m["key"], m["op"] != "!=", m["value"]
        return lambda obj: (labels(obj).get(key) == value) is expected
    if m := _EXISTS.match(term):
        key, expected = m["key"], not m["no"]
        return lambda obj: (key in labels(obj)) is expected
    raise bad_request(f"unable to parse requirement: {term!r}")


def _field_term(term: str) -> Match:
    m = re.match(r"^([^!=]+)(==|=|!=)(.*)$", term)
    if not m:
        raise bad_request(f"invalid field selector: {term!r}")
    path, expected, value = m[1].split("."), m[2] != "!=", m[3]
    if m[1] not in ("metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"):
        raise bad_request(f"field label not supported: {m[1]}")

    def match(obj: dict[str, Any]) -> bool:
        content: Any = obj
        for part in path:
            content = (content or {}).get(part)
        return ((content or "") == value) is expected

    return match
