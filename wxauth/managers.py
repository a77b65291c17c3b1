"""One table each: what is asked of it, how it changes, and who wins a race for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, models
from django.db.models import Count, QuerySet

from wxauth import invite_codes
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device

if TYPE_CHECKING:
    from wxauth.models import (
        AuditEvent,
        InviteCode,
        LoginSession,
        PhoneNumber,
        Referral,
        WechatIdentity,
        WechatProfile,
        WechatUnion,
    )


REFUSALS = timedelta(hours=1)  # of one kind and user, one is written down in this time


class WechatIdentityManager(models.Manager["WechatIdentity"]):
    def find(self, *, app_id: str, openid: str) -> WechatIdentity | None:
        """Return the identity with its user. One query."""
        return self.select_related("user").filter(app_id=app_id, openid=openid).first()

    def begin_conflict(self, identity: WechatIdentity, unionid: str, *, now: datetime) -> bool:
        """
        Note that ``unionid``, which WeChat now says of this identity, belongs to another user.

        Of many callers at once, one is told True; and nobody while that is noted already.
        """
        begun = bool(
            self.filter(
                models.Q(union_conflict_at__isnull=True) | ~models.Q(unionid=unionid),
                pk=identity.pk,
            ).update(unionid=unionid, union_conflict_at=now)
        )
        if begun or identity.union_conflict_at is None:
            identity.union_conflict_at = now
        identity.unionid = unionid
        return begun

    def of(self, user: HostUser, *, app_id: str) -> WechatIdentity | None:
        """Return who the user is in this app, or None."""
        return self.filter(user=user, app_id=app_id).first()


class WechatUnionManager(models.Manager["WechatUnion"]):
    def find(self, *, scope: str, unionid: str) -> WechatUnion | None:
        """Return the union with its user. One query."""
        return self.select_related("user").filter(scope=scope, unionid=unionid).first()

    def claim(self, *, scope: str, unionid: str, user: HostUser) -> WechatUnion:
        """Return the union of this unionid, which is ``user``'s unless another was first."""
        union, _ = self.select_related("user").get_or_create(
            scope=scope, unionid=unionid, defaults={"user": user}
        )
        return union


class WechatProfileManager(models.Manager["WechatProfile"]):
    def of(self, user: HostUser) -> WechatProfile | None:
        """Return the user's profile; None for users whom wxauth has not made."""
        return self.filter(user=user).first()

    def change(self, user: HostUser, **fields: Any) -> WechatProfile:
        """Write just these fields of the user's profile, which is made if there is none."""
        profile, _ = self.update_or_create(user=user, defaults=fields)
        return profile


class PhoneNumberManager(models.Manager["PhoneNumber"]):
    def of(self, user: HostUser) -> PhoneNumber | None:
        """Return the user's number, or None."""
        return self.filter(user=user).first()

    def holder_id(self, number: str) -> Any:
        """Return the primary key of the user to whom ``number`` belongs, or None."""
        return self.filter(number=number).values_list("user_id", flat=True).first()


class ReferralManager(models.Manager["Referral"]):
    def of(self, referee: HostUser) -> Referral | None:
        """Return who invited this user, and when; None when nobody did."""
        return self.filter(referee=referee).first()

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


class LoginSessionManager(models.Manager["LoginSession"]):
    def find(self, sid: UUID) -> LoginSession | None:
        """Return the session with its user, open or not. One query."""
        return self.select_related("user").filter(pk=sid).first()

    def rotate(
        self, sid: UUID, generation: int, *, rotated_at: datetime, expires_at: datetime
    ) -> bool:
        """
        Move an open session on from ``generation``. Of many callers at once, one is told True.

        Compare and swap in one statement: the row's lock makes the others wait, and then the
        generation is no longer theirs.
        """
        return bool(
            self.filter(
                pk=sid,
                generation=generation,
                revoked_at__isnull=True,
                expires_at__gt=rotated_at,
            ).update(generation=generation + 1, rotated_at=rotated_at, expires_at=expires_at)
        )

    def revoke(self, sids: Iterable[UUID], *, now: datetime) -> int:
        """End these sessions; return how many of them were not ended before."""
        return self.filter(pk__in=list(sids), revoked_at__isnull=True).update(revoked_at=now)

    def open_of(self, user: HostUser, *, now: datetime) -> QuerySet[LoginSession]:
        """Return the user's sessions that have been neither revoked nor expired."""
        return self.filter(user=user, revoked_at__isnull=True, expires_at__gt=now)


class AuditEventManager(models.Manager["AuditEvent"]):
    def record(
        self,
        kind: str,
        *,
        user: HostUser | None,
        actor: HostUser | None = None,
        device: Device = NOWHERE,
        **fields: Any,
    ) -> AuditEvent:
        """Add one row. ``actor`` is who did it, when it is not ``user``."""
        length = self.model._meta.get_field("user_agent").max_length
        doer = actor if actor is not None else user
        return self.create(
            kind=kind,
            user=user,
            user_key="" if user is None else str(user.pk),
            actor=doer,
            actor_key="" if doer is None else str(doer.pk),
            user_agent=device.user_agent[:length],
            ip_address=device.ip_address,
            **fields,
        )

    def record_once(
        self, kind: str, *, user: HostUser, now: datetime, **fields: Any
    ) -> AuditEvent | None:
        """
        Add one row, unless there is one of this kind and user that is younger than an hour.

        Only inside a transaction. A client that tries again and again costs one look each time;
        of many at once, one adds the row, since they wait for each other at the user's.
        """
        recent = self.filter(user_key=str(user.pk), kind=kind, at__gt=now - REFUSALS)
        if recent.exists():
            return None
        users = type(user)._base_manager.using(self.db)
        if not users.select_for_update().filter(pk=user.pk).exists() or recent.exists():
            return None
        return self.record(kind, user=user, at=now, **fields)

    def of(self, user: HostUser) -> QuerySet[AuditEvent]:
        """Return what happened to the account of this user."""
        return self.filter(user_key=str(user.pk))


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
