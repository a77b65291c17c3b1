"""From the bytes of a pushed message to its fields: XML or JSON, bounded, and without entities."""

import json
import re
from typing import Any, NoReturn
from xml.parsers import expat

from wxauth.exceptions import WechatDataInvalid

MAX_BODY = 64 * 1024  # bytes; the events we know are below 1 kB
MAX_FIELDS = 200
MAX_DEPTH = 16  # levels of XML

# WeChat's own example has "< OpenPID>", which is no XML.
_SPACED_NAME = re.compile(rb"<\s+(?=[A-Za-z])")


def read_message(body: bytes) -> dict[str, str]:
    """
    Return the fields of a message that hold a text or number, by name; deeper ones are left out.

    Names and values are stripped: some of WeChat's come with a leading space. Raise
    ``WechatDataInvalid`` for anything that is neither XML nor a JSON object, or has a field twice,
    or a document type, where entities are declared: so there are none that could grow or be read
    from somewhere.
    """
    text = body.lstrip()
    fields = _read_xml(body) if text.startswith(b"<") else _read_json(text)
    stripped = {name.strip(): value.strip() for name, value in fields}
    if len(stripped) < len(fields) or len(fields) > MAX_FIELDS:
        raise WechatDataInvalid(reason="the push has too many fields, or one of them twice")
    return stripped


def _read_json(text: bytes) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(text.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_refuse)
    except (ValueError, RecursionError):
        pairs = None
    if not isinstance(pairs, _Pairs):
        raise WechatDataInvalid(reason="the push is neither XML nor a JSON object")
    return [(name, str(value)) for name, value in pairs if isinstance(value, (str, int))]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object, with what it has twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    return _Pairs(pairs)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _read_xml(body: bytes) -> list[tuple[str, str]]:
    reader = _XmlReader()
    try:
        reader.parser.Parse(_SPACED_NAME.sub(b"<", body), True)
    except (expat.ExpatError, ValueError, LookupError):  # the last: an encoding nobody has
        raise WechatDataInvalid(reason="the push is not XML that WeChat would write") from None
    return reader.fields


class _XmlReader:
    """Collects the leaves right below the root."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self._path: list[str] = []
        self._texts: list[str] = []
        self._is_leaf = False
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        # Called when the declaration opens, before anything inside of it is looked at.
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *args: Any) -> NoReturn:
        raise ValueError("a document type")

    def _start(self, name: str, attributes: Any) -> None:
        self._path.append(name)
        if len(self._path) > MAX_DEPTH or len(self.fields) > MAX_FIELDS:
            raise ValueError("too deep, or too many")
        self._texts, self._is_leaf = [], True

    def _end(self, name: str) -> None:
        if self._is_leaf and len(self._path) == 2:
            self.fields.append((name, "".join(self._texts)))
        self._path.pop()
        self._is_leaf = False

    def _text(self, text: str) -> None:
        self._texts.append(text)
