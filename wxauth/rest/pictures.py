"""Pictures that clients upload, one in a form."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from wxauth.exceptions import ImageInvalid, InvalidInput
from wxauth.images import MAX_BYTES
from wxauth.rest.parsers import BodyTooLarge

ENVELOPE = 64 * 1024  # bytes of a form around its picture


class PictureParser(MultiPartParser):
    """A form with a picture, refused before it is read when it says that it is too large."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = (parser_context or {})["request"]
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0
        if not 0 < length <= MAX_BYTES + ENVELOPE:
            raise BodyTooLarge()
        return super().parse(stream, media_type, parser_context)


def read_picture(request: Request, name: str) -> bytes:
    """Return the content of the form's file of this name, at most 4 MiB."""
    file = request.FILES.get(name)
    if file is None:
        raise InvalidInput(reason=f"{name} is missing")
    if file.size is None or file.size > MAX_BYTES:
        raise ImageInvalid(reason="too many bytes")
    content: bytes = file.read()
    return content
