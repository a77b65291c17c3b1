"""Users as numbers, for clients that know no other uid."""

from django.contrib.auth import get_user_model
from django.db import models

from wxauth import transactions
from wxauth.conf import HostUser
from wxauth.models import AccountNumber


def uid_of(*, user: HostUser) -> int:
    """Return the user's primary key if it is an integer, else a number that is made once."""
    if has_integer_key():
        return int(user.pk)
    return transactions.run(lambda: AccountNumber.objects.of(user)).number


def user_of_number(number: int) -> HostUser | None:
    """Return whose number it is, where primary keys are no integers; else None."""
    return None if has_integer_key() else AccountNumber.objects.find_user(number)


def has_integer_key() -> bool:
    """Tell whether the project's users are numbered already."""
    return isinstance(get_user_model()._meta.pk, models.IntegerField)
