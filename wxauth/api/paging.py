"""Pages on the wire: ``limit`` and ``cursor`` in the query, ``next`` in the answer."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from wxauth.api.fields import TextField
from wxauth.services.pages import Position

LIMIT, MAX_LIMIT = 20, 100  # rows of a page


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
        position = Position.read(text)
        if text and position is None:
            raise serializers.ValidationError(_("Send a cursor as it was answered."))
        return position

    def page(self) -> dict[str, Any]:
        """Return which page is asked for, as the services take it."""
        fields = self.validated_data
        return {"before": fields.get("cursor"), "limit": fields["limit"]}


def cursor_text(position: Position | None) -> str | None:
    """Return the cursor for the page that begins after this row; None after the last one."""
    return None if position is None else str(position)
