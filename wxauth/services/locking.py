"""Users held for a moment: by a merge, and by whatever must not run into the middle of one."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models import QuerySet

from wxauth import backends, transactions
from wxauth.conf import HostUser
from wxauth.exceptions import TokenInvalid
from wxauth.models import WechatIdentity, WechatUnion


def lock_users(*keys: Any) -> dict[Any, HostUser]:
    """
    Lock the users with these keys until the transaction ends, and return those who exist.

    Always in the order of their keys, so that two who lock the same users wait for each other
    and not in a circle. Rows that point to them cannot be added meanwhile: foreign keys ask for
    a lock of their own.
    """
    rows: QuerySet = QuerySet(get_user_model(), using=transactions.database())
    return {user.pk: user for user in rows.filter(pk__in=keys).order_by("pk").select_for_update()}


def lock_people(*keys: Any) -> dict[Any, HostUser]:
    """
    Lock the users with all that leads a sign-in to them.

    Identities and unions come first, as in a sign-in, which writes to its identity before it adds
    a session that points to the user.
    """
    for model in (WechatIdentity, WechatUnion):
        rows = model._base_manager.filter(user__in=keys).order_by("pk")
        list(rows.select_for_update().values_list("pk", flat=True))
    return lock_users(*keys)


def lock_entrant(user: HostUser) -> HostUser:
    """
    Lock a signed-in user who is about to change what belongs to them, and return the row.

    One query, and the first. Raise ``TokenInvalid`` when the account has been merged, deleted or
    switched off meanwhile.
    """
    found = hold_user(user)
    if found is None or not backends.may_enter(found):
        raise TokenInvalid(reason="the user is gone, or may not come in any more")
    return found


def hold_user(user: HostUser) -> HostUser | None:
    """
    Lock the user's row until the transaction ends, and return it; None when the user is gone.

    New rows that point to the user do not wait for this lock, where the database can tell the
    difference.
    """
    using = transactions.database()
    no_key = connections[using].features.has_select_for_no_key_update
    rows: QuerySet = QuerySet(get_user_model(), using=using)
    return rows.filter(pk=user.pk).select_for_update(no_key=no_key).first()
