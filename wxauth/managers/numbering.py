"""Which number a user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from wxauth.conf import HostUser

if TYPE_CHECKING:
    from wxauth.models import AccountNumber

LARGEST = 2**63 - 1


class AccountNumberManager(models.Manager["AccountNumber"]):
    def of(self, user: HostUser) -> AccountNumber:
        """Return the user's number, which is made if there is none. Only inside a transaction."""
        number, _ = self.get_or_create(user=user)
        return number

    def find_user(self, number: int) -> HostUser | None:
        """Return whose number this is. One query, or none."""
        if not 0 < number <= LARGEST:
            return None
        found = self.select_related("user").filter(number=number).first()
        return found.user if found is not None else None
