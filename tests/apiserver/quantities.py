"""Canonical form of quantities, as the API server stores them: 1024Mi is 1Gi, 1.5 is 1500m, 2000 is 2k."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from tests.apiserver.refusal import bad_request

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DECIMAL = {
    suffix: Decimal(10) ** power
    for suffix, power in (("G", 9), ("M", 6), ("k", 3), ("", 0), ("m", -3), ("u", -6), ("n", -9))
}


def rounded(text: str) -> str:
    """A quantity of a container's resources, rounded up to thousandths: 0.0579 is 58m."""
    m = re.fullmatch(r"([0-9.]+)(|[mkMG]|[KMGT]i)", text)
    if not m:
        return text
    number, suffix = Decimal(m[1]), m[2]
    if suffix in _BINARY:
        size = number * _BINARY[suffix]
        for unit in ("Ti", "Gi", "Mi", "Ki"):
            if size and size % _BINARY[unit] == 0:
                return f"{int(size / _BINARY[unit])}{unit}"
        return str(int(size))
    return _decimal(math.ceil(number * _DECIMAL[suffix] * 1000) / Decimal(1000))


def exact(text: str) -> str:
    """A quantity of a metric: 0.70 is 700m, 0.0001 is 100u. Raises Refused (400) if it is not a quantity."""
    m = re.fullmatch(r"([+-]?[0-9.]+)(|[numkMG])", text)
    if not m:
        raise bad_request(
            "cannot be handled: quantities must match the regular expression"
            " '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return _decimal(Decimal(m[1]) * _DECIMAL[m[2]])


def _decimal(value: Decimal) -> str:
    for suffix, unit in _DECIMAL.items():
        if value and value % unit == 0:
            return f"{int(value / unit)}{suffix}"
    return "0"
