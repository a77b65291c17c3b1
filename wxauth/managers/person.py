"""Profile, phone number, who invited whom."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connections, models
from django.db.models import Count

from wxauth import invite_codes
from wxauth.conf import HostUser
from wxauth.managers.rows import only

if TYPE_CHECKING:
    from wxauth.models import (
        InviteCode,
        PhoneNumber,
        Referral,
        WechatProfile,
    )


class WechatProfileManager(models.Manager["WechatProfile"]):
    def of(self, user: HostUser) -> WechatProfile | None:
        """Return the user's profile; None for users whom wxauth has not made."""
        return only(self.filter(user=user))

    def lock_of(self, user: HostUser) -> WechatProfile | None:
        """Lock and return the user's profile; None when there is none."""
        return only(self.filter(user=user).select_for_update())

    def change(self, user: HostUser, **fields: Any) -> WechatProfile:
        """Write just these fields of the user's profile, which is made if there is none."""
        if "avatar_url" in fields:
            fields["avatar_refused_at"] = None
        profile, _ = self.update_or_create(user=user, defaults=fields)
        return profile

    def fill(self, user: HostUser, **fields: Any) -> None:
        """Write these fields if the user's profile has neither a name nor a picture."""
        self.filter(user=user, nickname="", avatar_url="").update(**fields)

    def with_avatar_at(
        self, hosts: Iterable[str], *, after: int, limit: int
    ) -> list[WechatProfile]:
        """
        Return profiles with their users whose picture may be at one of these hosts, and was not
        refused; the first ``limit`` behind the key ``after``.
        """
        names = [models.Q(avatar_url__contains=host) for host in hosts]
        if not names:
            return []
        rows = self.select_related("user").filter(
            models.Q(*names, _connector=models.Q.OR), avatar_refused_at__isnull=True, pk__gt=after
        )
        return list(rows.order_by("pk")[:limit])

    def replace_avatar(self, user: HostUser, *, address: str, copy: str) -> bool:
        """Put the address of the copy in the place of this one; False when it is another by now."""
        return bool(self.filter(user=user, avatar_url=address).update(avatar_url=copy))

    def refuse_avatar(self, user: HostUser, *, address: str, now: datetime) -> None:
        """Note that there is no picture to be had at this address."""
        self.filter(user=user, avatar_url=address).update(avatar_refused_at=now)


class PhoneNumberManager(models.Manager["PhoneNumber"]):
    def of(self, user: HostUser) -> PhoneNumber | None:
        """Return the user's number, or None."""
        return only(self.filter(user=user))

    def holder_id(self, number: str) -> Any:
        """Return the primary key of the user to whom ``number`` belongs, or None."""
        return only(self.filter(number=number).values_list("user_id", flat=True))

    def find(self, number: str) -> PhoneNumber | None:
        """Return the number with its user, or None. One query."""
        return self.select_related("user").filter(number=number).first()

    def lock(self, number: str) -> PhoneNumber | None:
        """
        Lock the user to whom this number belongs, then the number; None when it is free. One query.

        The row comes with its user and that one's deletion request. ``IntegrityError`` when the
        number has changed hands while we waited for the lock: find again.
        """
        features = connections[self.db].features
        rows = self.select_related("user__wxauth_deletion").select_for_update(
            of=("user", "self") if features.has_select_for_update_of else (),
            no_key=features.has_select_for_no_key_update,
        )
        found = only(rows.filter(number=number))
        if found is None and self.holder_id(number) is not None:
            raise IntegrityError("the number has changed hands: find again")
        return found


class ReferralManager(models.Manager["Referral"]):
    def of(self, referee: HostUser) -> Referral | None:
        """Return who invited this user, and when; None when nobody did."""
        return only(self.filter(referee=referee))

    def count_levels(self, root: HostUser, *, depth: int) -> list[int]:
        """
        Return how many people ``root`` has invited, how many those have, and so on: ``depth``
        numbers. One query.

        Nobody has two referrers, so a circle, if there were one, could only lead back to
        ``root``, where it is cut. It begins with the one row of the user and not with those of
        the invited, by whose number PostgreSQL would expect millions, and compile the query for
        ten times as long as it takes.
        """
        sql = """
            WITH RECURSIVE tree (uid, level) AS (
                SELECT {key}, 0 FROM {users} WHERE {key} = %s
                UNION ALL
                SELECT r.{referee}, tree.level + 1
                FROM tree JOIN {table} r ON r.{referrer} = tree.uid
                WHERE tree.level < %s AND r.{referee} <> %s
            )
            SELECT level, COUNT(*) FROM tree GROUP BY level"""
        key = self._to_database(root.pk)
        found = dict(self._ask(sql, [key, depth, key]))
        return [found.get(level, 0) for level in range(1, depth + 1)]

    def chain(self, referee: HostUser, *, length: int) -> list[Any]:
        """Return the keys of who invited this user, who invited those, and so on. One query."""
        sql = """
            WITH RECURSIVE chain (uid, level) AS (
                SELECT {referrer}, 1 FROM {table} WHERE {referee} = %s
                UNION ALL
                SELECT r.{referrer}, chain.level + 1
                FROM chain JOIN {table} r ON r.{referee} = chain.uid
                WHERE chain.level < %s AND r.{referrer} <> %s
            )
            SELECT uid FROM chain WHERE uid IS NOT NULL ORDER BY level"""
        key = self._to_database(referee.pk)
        return [self._key.to_python(uid) for (uid,) in self._ask(sql, [key, length, key])]

    def count_invited(self, referrers: Iterable[Any]) -> dict[Any, int]:
        """Return for the keys of users how many people each has invited, if any. One query."""
        counts = self.filter(referrer__in=list(referrers)).values_list("referrer")
        return dict(counts.annotate(number=Count("*")).order_by())

    def leaders(self, *, since: datetime, until: datetime, limit: int) -> list[tuple[Any, int]]:
        """Return the keys of who invited most from ``since`` to ``until``, and how many."""
        counts = self.filter(
            created_at__gte=since, created_at__lt=until, referrer__isnull=False
        ).values_list("referrer")
        return list(counts.annotate(number=Count("*")).order_by("-number", "referrer_id")[:limit])

    @property
    def _key(self) -> models.Field:
        return self.model._meta.get_field("referrer").target_field

    def _to_database(self, key: Any) -> Any:
        return self._key.get_db_prep_value(key, connections[self.db])

    def _ask(self, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        # The ORM knows no recursion. Only names of ours are written into the text.
        connection, meta = connections[self.db], self.model._meta
        quote = connection.ops.quote_name
        names = {
            "users": quote(self._key.model._meta.db_table),
            "key": quote(str(self._key.column)),
            "table": quote(meta.db_table),
            "referee": quote(meta.get_field("referee").column),
            "referrer": quote(meta.get_field("referrer").column),
        }
        with connection.cursor() as cursor:
            cursor.execute(sql.format(**names), parameters)
            return cursor.fetchall()


class InviteCodeManager(models.Manager["InviteCode"]):
    def of(self, user: HostUser) -> InviteCode:
        """Return the user's code, which is made if there is none. Only inside a transaction."""
        code, _ = self.get_or_create(user=user, defaults={"code": invite_codes.make()})
        return code

    def find_user(self, text: str) -> HostUser | None:
        """Return whose code this is, in whatever case it is written. One query, or none."""
        code = invite_codes.read(text)
        if code is None:
            return None
        found = self.select_related("user").filter(code=code).first()
        return found.user if found is not None else None
