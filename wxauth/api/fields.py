"""Serializer fields that never guess: a value of the wrong type is an error."""

from typing import Any

from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils import html

from wxauth.rest.parsers import read_json
from wxauth.rest.storable import is_storable, is_text


class TextField(serializers.CharField):
    """A JSON string. DRF's own field also takes numbers."""

    # A sentence of ours, since DRF's own lacks its Chinese in some versions.
    default_error_messages = {"invalid": _("Not a valid string.")}

    def run_validation(self, data: Any = empty) -> Any:
        # Before anything else: DRF's own calls str(), which fails on lists in lists in lists.
        # And what no database takes: DRF's validators of that speak no Chinese in some versions.
        if data is empty or data is None or (isinstance(data, str) and is_text(data)):
            return super().run_validation(data)
        self.fail("invalid")


class LinkField(TextField):
    """The address of a page or picture. DRF's own field also takes ftp, and numbers."""

    default_error_messages = serializers.URLField.default_error_messages

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(
            URLValidator(schemes=["http", "https"], message=self.error_messages["invalid"])
        )


class FlagField(serializers.BooleanField):
    """A JSON boolean, or ``true`` and ``false`` in a form."""

    default_error_messages = {"invalid": _("Must be a valid boolean.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool) and not _from_form(self):
            self.fail("invalid")
        return bool(super().to_internal_value(data))


class ChoiceNumberField(serializers.ChoiceField):
    """One of a few JSON integers, or its digits in a form."""

    # DRF's own sentence quotes the value: any amount of text, and half a surrogate pair cannot
    # even be written as UTF-8.
    default_error_messages = {"invalid_choice": _("Not a valid choice.")}

    def get_value(self, dictionary: Any) -> Any:
        # DRF's own takes the empty text in a form for a field that is left out.
        return dictionary.get(self.field_name, empty)

    def to_internal_value(self, data: Any) -> Any:
        if type(data) is not int and not (isinstance(data, str) and _from_form(self)):
            self.fail("invalid_choice")
        return super().to_internal_value(data)


class ReferrerField(serializers.Field):
    """Who invited, or where: any text or number. What it is good for, the service decides."""

    default_error_messages = {"invalid": _("Not a valid string.")}

    def run_validation(self, data: Any = empty) -> Any:
        if data is None or data is empty:
            return None
        if isinstance(data, bool) or not isinstance(data, (str, int, float)):
            self.fail("invalid")
        return data

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class ObjectField(serializers.JSONField):
    """A JSON object that each of our databases can store and give back unchanged."""

    default_error_messages = {
        "not_an_object": _("This must be a JSON object."),
        "not_storable": _(
            "This JSON object is too large, too deep, or has values that cannot be stored."
        ),
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if _from_form(self):
            try:
                data = read_json(data)
            except ValueError:
                self.fail("not_an_object")
        if not isinstance(data, dict):
            self.fail("not_an_object")
        if not is_storable(data):
            self.fail("not_storable")
        return data


def _from_form(field: serializers.Field) -> bool:
    return html.is_html_input(field.root.initial_data)
