"""For changes to an account: the user, held so that nobody deletes the account meanwhile."""

from django.contrib.auth import get_user_model
from django.db import connections

from wxauth import backends
from wxauth.conf import HostUser
from wxauth.exceptions import TokenInvalid
from wxauth.transactions import database


def hold(user: HostUser) -> None:
    """
    Lock the user's row until the transaction ends, as its first statement. One query.

    Raise ``TokenInvalid`` when the account has been deleted, or switched off, since the request
    was let in: what is bound now would be bound to nobody. New rows that point to the user do not
    wait for this lock, where the database can tell the difference.
    """
    no_key = connections[database()].features.has_select_for_no_key_update
    rows = get_user_model()._base_manager.select_for_update(no_key=no_key)
    found = rows.filter(pk=user.pk).first()
    if found is None or not backends.may_enter(found):
        raise TokenInvalid(reason="the account has gone while the request was on its way")
