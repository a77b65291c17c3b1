"""Bodies as they come in: bounded, strict, UTF-8."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn
from urllib.parse import parse_qsl

from django.http import QueryDict
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_BODY = 64 * 1024  # bytes; the largest honest body is an encryptedData of about 2 kB
MAX_FIELDS = 100


class BodyTooLarge(APIException):
    """The body is longer than anything these routes take."""

    status_code = 413
    default_code = "body_too_large"


class JSONParser(BaseParser):
    """JSON as ``read_json`` takes it."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        text = _read(stream, parser_context)
        try:
            return read_json(text)
        except ValueError:
            raise ParseError() from None


class FormParser(BaseParser):
    """URL-encoded forms. DRF's own repairs broken UTF-8; here it is an error."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> QueryDict:
        text = _read(stream, parser_context)
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
            )
        except ValueError:
            raise ParseError() from None
        form = QueryDict(mutable=True)
        for name, value in pairs:
            if name in form:
                raise ParseError()  # which of the two is meant?
            form[name] = value
        return form


def read_json(text: str) -> Any:
    """
    Return what ``text`` holds, or raise ``ValueError``.

    Not JSON: NaN and Infinity, which databases refuse too. Refused beside: a name that an object
    has twice, of which another reader may take the other one.
    """
    try:
        return json.loads(
            text, parse_constant=_refuse, parse_int=_integer, object_pairs_hook=_object
        )
    except RecursionError:
        raise ValueError("too deep") from None


def _read(stream: IO[bytes], parser_context: Mapping[str, Any] | None) -> str:
    body = stream.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise BodyTooLarge()
    # A client that hangs up in the middle must not have half of its form taken for the whole.
    request = (parser_context or {}).get("request")
    if request is not None and len(body) < int(request.META.get("CONTENT_LENGTH") or 0):
        raise ParseError()
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise ParseError() from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # Python reads no more than 4300 digits
        return math.inf


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a name stands twice")
    return value
