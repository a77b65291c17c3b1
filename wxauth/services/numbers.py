"""From what a person types to a phone number."""

import re
import unicodedata

import phonenumbers
from phonenumbers import PhoneNumberType, ValidationResult

from wxauth.conf import conf
from wxauth.exceptions import PhoneCountryNotAllowed, PhoneInputInvalid
from wxauth.models import PhoneNumber

_TYPED = re.compile(r"\+?[0-9 ().-]{4,32}")
# No phone on which somebody reads a message, or a line that costs extra.
_REFUSED = {
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PERSONAL_NUMBER,
    PhoneNumberType.PAGER,
    PhoneNumberType.UAN,
    PhoneNumberType.VOICEMAIL,
}


def read_number(typed: str) -> str:
    """
    Return E.164 for what was typed, or raise ``PhoneInputInvalid``.

    Spaces, dashes, brackets and the wide digits of Chinese keyboards are taken. Without ``+`` or
    ``00`` it is a number of the first country of ``WXAUTH_SMS_COUNTRIES``. So each number has one
    spelling here, and no other one to start counting anew.
    """
    return _format(_parse(typed))


def read_sms_number(typed: str) -> str:
    """
    Return E.164 for a number that a message may be sent to.

    Raise ``PhoneInputInvalid``, or ``PhoneCountryNotAllowed``: whoever is paid for messages to
    some far country must not be able to have us send them.
    """
    number = _parse(typed)
    if str(number.country_code) not in conf.sms_countries:
        raise PhoneCountryNotAllowed(reason=f"country {number.country_code}")
    # Not is_valid_number: new ranges open faster than numbering plans are published.
    length = phonenumbers.is_possible_number_for_type_with_reason(number, PhoneNumberType.MOBILE)
    if length != ValidationResult.IS_POSSIBLE or phonenumbers.number_type(number) in _REFUSED:
        raise PhoneInputInvalid(reason="a number without a phone that reads messages")
    return _format(number)


def mask(number: str) -> str:
    """Return an E.164 number as records may hold it: ``+86138****8000``."""
    return PhoneNumber(number=number).masked


def _parse(typed: str) -> phonenumbers.PhoneNumber:
    text = unicodedata.normalize("NFKC", typed).strip()
    number = None
    if _TYPED.fullmatch(text):
        region = phonenumbers.region_code_for_country_code(int(conf.sms_countries[0]))
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            number = None
    # Not is_possible_number: that one also takes numbers without their area.
    if number is None or (
        phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE
    ):
        raise PhoneInputInvalid(reason="not a possible number")
    return number


def _format(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
