"""What of a client's JSON each of our databases can store and give back unchanged."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

MAX_JSON = 16 * 1024  # bytes of the text
MAX_DEPTH = 16
SAFE_INTEGER = 2**53 - 1  # what every JSON reader, MySQL's included, keeps exact
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def is_storable(data: Mapping[str, Any]) -> bool:
    """Tell whether this object is small and plain enough to be kept."""
    return _is_storable(data, MAX_DEPTH) and len(json.dumps(data)) <= MAX_JSON


def _is_storable(value: Any, depth: int) -> bool:
    if depth == 0:
        return False
    if isinstance(value, dict):
        return all(is_text(k) and _is_storable(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return all(_is_storable(item, depth - 1) for item in value)
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or abs(value) <= SAFE_INTEGER


def is_text(value: str) -> bool:
    """Tell whether each of our databases takes this text."""
    return _NOT_TEXT.search(value) is None
