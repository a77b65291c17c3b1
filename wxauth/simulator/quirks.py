"""How WeChat's answers differ from its documents: switches, for one answer or for all of them."""

import json
import re
from collections.abc import Collection
from enum import StrEnum
from typing import Any

_ESCAPE = re.compile(r"\\(?:u00[01][0-9a-f]|.)")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half an emoji: no UTF-8 has it
_SHORT_ESCAPES = {"\\b": "\b", "\\f": "\f", "\\n": "\n", "\\r": "\r", "\\t": "\t"}


class Quirk(StrEnum):
    """One way to be odd; each was seen at WeChat."""

    ERRCODE_AS_STRING = "errcode_as_string"
    ERRCODE_ZERO = "errcode_zero"  # a success that says so, as the documents show it
    UNKNOWN_FIELDS = "unknown_fields"
    MISSING_UNIONID = "missing_unionid"
    COUNTRY_CODE_NUMBER = "country_code_number"
    ESCAPED_SLASHES = "escaped_slashes"
    CONTROL_CHARACTER = "control_character"  # U+0014, raw, in the nickname
    EMOJI = "emoji"  # beyond the BMP, in the nickname
    ERRMSG_HINT = "errmsg_hint"
    ERRMSG_REQ_ID = "errmsg_req_id"
    OTHER_CONTENT_TYPE = "other_content_type"  # text/plain for application/json and back


def apply_quirks(data: dict[str, Any], quirks: Collection[Quirk]) -> dict[str, Any]:
    """Return the object with its fields changed as the quirks ask; ``data`` stays as it is."""
    odd = {key: _odd_value(key, value, quirks) for key, value in data.items()}
    if Quirk.MISSING_UNIONID in quirks:
        odd.pop("unionid", None)
        odd.pop("unionId", None)
    return odd


def apply_answer_quirks(answer: dict[str, Any], quirks: Collection[Quirk]) -> dict[str, Any]:
    """Return the answer of an endpoint with the quirks that concern only the outermost object."""
    odd = apply_quirks(answer, quirks)
    if Quirk.UNKNOWN_FIELDS in quirks:
        odd = {"new_field": {"list": [1, None, "x"]}, "expires_in": 7200, **odd}
    if Quirk.ERRCODE_ZERO in quirks:
        odd = {"errcode": 0, "errmsg": "ok", **odd}
    if Quirk.ERRCODE_AS_STRING in quirks and "errcode" in odd:
        odd["errcode"] = str(odd["errcode"])
    return odd


def dump_json(data: dict[str, Any], quirks: Collection[Quirk] = ()) -> str:
    """Return compact JSON as WeChat writes it: text as it is, control characters raw."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    if Quirk.ESCAPED_SLASHES in quirks:
        text = text.replace("/", "\\/")
    text = _ESCAPE.sub(_unescape_control, text)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _unescape_control(match: re.Match[str]) -> str:
    escape = match[0]
    if escape.startswith("\\u00"):
        return chr(int(escape[2:], 16))
    return _SHORT_ESCAPES.get(escape, escape)


def _odd_value(key: str, value: Any, quirks: Collection[Quirk]) -> Any:
    if isinstance(value, dict):
        return apply_quirks(value, quirks)
    if key in ("nickName", "nickname"):
        value += "\x14" * (Quirk.CONTROL_CHARACTER in quirks)
        value += "🙂" * (Quirk.EMOJI in quirks)
    elif key == "countryCode" and Quirk.COUNTRY_CODE_NUMBER in quirks:
        value = int(value)
    elif key == "errmsg" and Quirk.ERRMSG_HINT in quirks:
        value = value.replace(", rid: ", " hint: [simulated] rid: ")
    elif key == "errmsg" and Quirk.ERRMSG_REQ_ID in quirks:
        value = re.sub(r", rid: (.*)", r", hints: [ req_id: \1 ]", value)
    return value
