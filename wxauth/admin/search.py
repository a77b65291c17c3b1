"""
From what is typed into a search box to the users it means. Everything is compared exactly.

``icontains`` would read whole tables, and find strangers whose openid happens to contain "138".
"""

import re
from typing import Any
from uuid import UUID

import phonenumbers
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from wxauth.models import PhoneNumber, WechatIdentity, WechatUnion
from wxauth.models.identity import ID_LENGTH

PHONE = re.compile(r"\+?[0-9(][0-9 ().-]*")
PHONE_DIGITS = range(5, 16)  # how many a number that WeChat answers may have


def clean_term(term: str) -> str | None:
    """Return the text to look for, or None when nothing that we keep can be equal to it."""
    term = term.strip()
    return term if term and len(term) <= ID_LENGTH and "\0" not in term else None


def ids_are(term: str) -> Q:
    """Match identities with this openid or unionid."""
    return Q(openid=term) | Q(unionid=term)


def find_users(term: str) -> set[Any]:
    """Return the keys of the users with this uid, phone number, openid or unionid."""
    identities = WechatIdentity.objects.filter(ids_are(term)).values_list("user_id", flat=True)
    unions = WechatUnion.objects.filter(unionid=term).values_list("user_id", flat=True)
    return {*find_accounts(term), *identities, *unions}


def find_accounts(term: str) -> set[Any]:
    """Return the keys of the users with this uid or phone number."""
    holders = PhoneNumber.objects.filter(number__in=read_numbers(term))
    return {*find_uid(term), *holders.values_list("user_id", flat=True)}


def find_uid(term: str) -> list[Any]:
    """Return the user key that this text is; nothing when no user has it."""
    model = get_user_model()
    key = model._meta.pk
    if isinstance(key, models.IntegerField) and not (term.isascii() and term.isdigit()):
        return []  # int() also takes "1_0" and other scripts' digits
    try:
        return list(model._base_manager.filter(pk=key.to_python(term)).values_list("pk", flat=True))
    except (ValidationError, ValueError, OverflowError):
        return []


def read_numbers(term: str) -> list[str]:
    """
    Return each E.164 number that this text may be.

    ``+86 138…`` is one number. Without the plus it is either a national number, of whatever
    country, or an international one whose plus was left out: a query by equality with a few
    hundred values still costs nothing.
    """
    if not PHONE.fullmatch(term):
        return []
    digits = re.sub(r"[^0-9]", "", term)
    if len(digits) not in PHONE_DIGITS:
        return []
    if term.startswith("+"):
        return [f"+{digits}"]
    prefixes = ["", *phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    return [f"+{prefix}{digits}" for prefix in prefixes if len(f"{prefix}{digits}") <= 15]


def read_sid(term: str) -> UUID | None:
    """Return the session id that this text is, or None."""
    try:
        return UUID(term)
    except ValueError:
        return None
