"""The user of a new person, for whatever user model the project has."""

import secrets

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import connections, models
from django.db.models import QuerySet

from wxauth import transactions
from wxauth.conf import HostUser, WechatApp

PREFIX = "wx_"  # of the names that nobody has chosen, or knows


def create_user(*, app: WechatApp) -> HostUser:
    """
    Save and return a user without a usable password, whose username tells nothing of WeChat.

    The default of ``WXAUTH_CREATE_USER``. Replace it when the user model has more fields that
    must be filled; ``app`` is where the person registers.
    """
    user = build_user()
    user.save(force_insert=True)
    return user


def build_user() -> HostUser:
    """Return such a user, who is not saved yet."""
    model = get_user_model()
    field = model._meta.get_field(model.USERNAME_FIELD)
    user = model()
    # What set_unusable_password() sets, which takes ten times as long for its forty characters.
    user.password = UNUSABLE_PASSWORD_PREFIX + secrets.token_urlsafe(30)
    if isinstance(field, models.CharField) and not field.null and not field.has_default():
        name = f"{PREFIX}{secrets.token_hex(10)}"
        if isinstance(field, models.EmailField):
            name += "@wxauth.invalid"  # RFC 2606: never a real address
        setattr(user, model.USERNAME_FIELD, name[: field.max_length])
    return user


def lock(user: HostUser) -> HostUser | None:
    """
    Lock and return the user's row, inside a transaction; None when the user is gone.

    Their request for deletion comes with it: a sign-in looks at it. What decides by several tables
    of one user takes its turn here. Lock before anything else is read: MySQL shows a transaction,
    by its own default, the moment of its first plain read.
    """
    using = transactions.database()
    of = ("self",) if connections[using].features.has_select_for_update_of else ()
    rows: QuerySet = QuerySet(get_user_model(), using=using)
    rows = rows.select_related("wxauth_deletion").select_for_update(of=of)
    return rows.filter(pk=user.pk).first()
