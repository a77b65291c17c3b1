"""
What becomes of the user row when an account is deleted: two answers to ``WXAUTH_ERASE_USER``.

Each runs inside the transaction that deletes the account, after our own rows are gone.
"""

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

from wxauth.conf import HostUser

NAMES = ("first_name", "last_name")
FLAGS = ("is_active", "is_staff", "is_superuser")
GROUPS = ("groups", "user_permissions")


def anonymise(user: HostUser) -> None:
    """
    Keep the row, switched off, and blank in it whatever tells of a person. The default.

    Orders and invoices, which the law wants kept, go on pointing to a row that is nobody.
    Username, e-mail, names, password, last login, rights and groups are known here; what else the
    project's user model holds of a person is blanked by a function of the project's own.
    """
    model = get_user_model()
    for name in NAMES:
        _blank(user, name)
    for name in FLAGS:
        if _field(name) is not None:
            setattr(user, name, False)
    for name in GROUPS:
        if _field(name) is not None:
            getattr(user, name).clear()
    if _field("last_login") is not None:
        user.last_login = None
    _blank(user, model.get_email_field_name())
    _rename(user, model.USERNAME_FIELD)
    user.set_unusable_password()
    user.save()


def erase(user: HostUser) -> None:
    """
    Delete the row, and with it all that cascades from it.

    ``ProtectedError`` and ``RestrictedError`` when rows of the project must not lose their user:
    then nothing is deleted, and the request keeps the reason.
    """
    user.delete()


def _field(name: str) -> models.Field | None:
    model = get_user_model()
    return next((f for f in model._meta.get_fields() if f.name == name), None)  # type: ignore[return-value]  # of these names it is a field


def _blank(user: HostUser, name: str) -> None:
    field = _field(name)
    if isinstance(field, (models.CharField, models.TextField)) and name != user.USERNAME_FIELD:
        setattr(user, name, None if field.null else "")


def _rename(user: HostUser, name: str) -> None:
    # A name of its own for each: usernames are unique.
    field = _field(name)
    value: Any = None
    if isinstance(field, models.CharField) and not field.null:
        value = f"gone_{secrets.token_hex(10)}"
        if isinstance(field, models.EmailField):
            value += "@wxauth.invalid"  # RFC 2606: never a real address
        value = value[: field.max_length]
    elif field is None or not field.null:
        return  # what it is, only the project knows
    setattr(user, name, value)
