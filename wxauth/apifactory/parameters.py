"""Parameters as ``apifm-wxapi`` sends them: everything is text, and nothing is left out."""

from collections.abc import Mapping
from typing import Any

from wxauth.exceptions import InvalidInput
from wxauth.rest.parsers import read_json
from wxauth.rest.storable import is_storable, is_text

# What JavaScript's undefined and null become on the wire.
ABSENT = {"", "undefined", "null"}


class Parameters:
    """
    The parameters of one call: first those where its verb puts them, then the others.

    WeChat has encoded them once and Django has decoded them once. Raise ``InvalidInput``.
    """

    def __init__(self, *places: Mapping[str, Any]) -> None:
        self._places = places

    def text(self, name: str) -> str | None:
        """Return the text, or None when it is absent in one of the ways above."""
        for place in self._places:
            value = place.get(name)
            if value is None or isinstance(value, (dict, list)):
                continue
            text = str(value)
            if text in ABSENT:
                continue
            if not is_text(text):
                raise InvalidInput(reason=f"{name} cannot be stored")
            return text
        return None

    def has(self, name: str) -> bool:
        """Tell whether the parameter was sent, be it empty."""
        return any(name in place for place in self._places)

    def required(self, name: str) -> str:
        """Return the text; raise ``InvalidInput`` when it is absent."""
        text = self.text(name)
        if text is None:
            raise InvalidInput(reason=f"{name} is missing")
        return text

    def flag(self, name: str) -> bool:
        """Tell whether the text is ``true``."""
        return self.text(name) == "true"

    def object(self, name: str) -> dict[str, Any] | None:
        """
        Return the JSON object that is written in the text, or None when it is absent.

        Raise ``InvalidInput`` for what is no such object, or larger than a profile should be.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            value = read_json(text)
        except ValueError:
            value = None
        if not isinstance(value, dict) or not is_storable(value):
            raise InvalidInput(reason=f"{name} is no JSON object that can be kept")
        return value
