"""Pages on the wire: ``limit`` and ``cursor`` in the query, ``next`` in the answer."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from wxauth.api.fields import TextField
from wxauth.services.pages import Position

LIMIT, MAX_LIMIT = 20, 100  # rows of a page
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")


class LimitField(serializers.IntegerField):
    """The digits of a small number. DRF's own field also takes other scripts' digits."""

    def to_internal_value(self, data: Any) -> int:
        if not (isinstance(data, str) and data.isascii() and data.isdigit()):
            self.fail("invalid")
        return super().to_internal_value(data)


class PageSerializer(serializers.Serializer):
    """Which page of a list."""

    cursor = TextField(required=False, allow_blank=True, max_length=64)
    limit = LimitField(required=False, min_value=1, max_value=MAX_LIMIT, default=LIMIT)

    def validate_cursor(self, text: str) -> Position | None:
        found = _CURSOR.fullmatch(text)
        if text and found is None:
            raise serializers.ValidationError(_("Send a cursor as it was answered."))
        if found is None:
            return None
        return Position(EPOCH + int(found[1]) * MICROSECOND, int(found[2]))

    @property
    def before(self) -> Position | None:
        return self.validated_data.get("cursor")

    @property
    def limit_of_page(self) -> int:
        return self.validated_data["limit"]


def cursor_text(position: Position | None) -> str | None:
    """Return the cursor for the page that begins after this row."""
    if position is None:
        return None
    return f"{(position.at - EPOCH) // MICROSECOND}-{position.key}"
