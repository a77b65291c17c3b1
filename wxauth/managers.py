"""One table each: what is asked of it, how it changes, and who wins a race for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db import IntegrityError, connections, models
from django.db.models import Count, QuerySet

from wxauth import invite_codes
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device

if TYPE_CHECKING:
    from wxauth.models import (
        AuditEvent,
        DeletionRequest,
        InviteCode,
        LoginSession,
        Merge,
        PhoneNumber,
        Referral,
        SmsCode,
        WechatIdentity,
        WechatProfile,
        WechatUnion,
    )

T = TypeVar("T")


def _only(rows: Iterable[T]) -> T | None:
    """Return the one row that a unique key finds, or None. ``first()`` also has it sorted."""
    return next(iter(rows), None)


REFUSALS = timedelta(hours=1)  # of one kind and user, one is written down in this time


class WechatIdentityManager(models.Manager["WechatIdentity"]):
    def find(self, *, app_id: str, openid: str) -> WechatIdentity | None:
        """Return the identity with its user and that one's deletion request. One query."""
        rows = self.select_related("user__wxauth_deletion")
        return _only(rows.filter(app_id=app_id, openid=openid))

    def change(self, identity: WechatIdentity, fields: Iterable[str]) -> bool:
        """
        Write these fields of the identity. False when it is gone, or another user's, meanwhile.

        What the caller has read is then no longer so, and they look again.
        """
        values = {name: getattr(identity, name) for name in fields}
        return bool(self.filter(pk=identity.pk, user_id=identity.user_id).update(**values))

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

    def lock_of(self, user: HostUser) -> list[WechatIdentity]:
        """
        Lock and return all that the user is. Before the user's own lock, since a sign-in takes
        both in this order; what it returns may lack what was linked while it waited.
        """
        return list(self.filter(user=user).select_for_update().order_by("pk"))


class WechatUnionManager(models.Manager["WechatUnion"]):
    def find(self, *, scope: str, unionid: str) -> WechatUnion | None:
        """Return the union with its user and that one's deletion request. One query."""
        rows = self.select_related("user__wxauth_deletion")
        return _only(rows.filter(scope=scope, unionid=unionid))

    def claim(self, *, scope: str, unionid: str, user: HostUser) -> WechatUnion:
        """Return the union of this unionid, which is ``user``'s unless another was first."""
        union, _ = self.select_related("user").get_or_create(
            scope=scope, unionid=unionid, defaults={"user": user}
        )
        return union

    def drop_unused(self, user: HostUser, *, unionid: str) -> int:
        """Give up the user's claim to a unionid that none of their identities bears any more."""
        is_used = user.wxauth_identities.filter(unionid=unionid).exists()
        return 0 if is_used else self.filter(user=user, unionid=unionid).delete()[0]


class WechatProfileManager(models.Manager["WechatProfile"]):
    def of(self, user: HostUser) -> WechatProfile | None:
        """Return the user's profile; None for users whom wxauth has not made."""
        return _only(self.filter(user=user))

    def change(self, user: HostUser, **fields: Any) -> WechatProfile:
        """Write just these fields of the user's profile, which is made if there is none."""
        profile, _ = self.update_or_create(user=user, defaults=fields)
        return profile


class PhoneNumberManager(models.Manager["PhoneNumber"]):
    def of(self, user: HostUser) -> PhoneNumber | None:
        """Return the user's number, or None."""
        return _only(self.filter(user=user))

    def holder_id(self, number: str) -> Any:
        """Return the primary key of the user to whom ``number`` belongs, or None."""
        return _only(self.filter(number=number).values_list("user_id", flat=True))

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
        found = _only(rows.filter(number=number))
        if found is None and self.holder_id(number) is not None:
            raise IntegrityError("the number has changed hands: find again")
        return found


class ReferralManager(models.Manager["Referral"]):
    def of(self, referee: HostUser) -> Referral | None:
        """Return who invited this user, and when; None when nobody did."""
        return _only(self.filter(referee=referee))

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
        return _only(self.select_related("user").filter(pk=sid))

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

    def open_by(self, identities: Iterable[WechatIdentity], *, now: datetime) -> list[UUID]:
        """Return the ids of the open sessions that began with one of these identities."""
        rows = self.filter(identity__in=identities, revoked_at__isnull=True, expires_at__gt=now)
        return list(rows.values_list("id", flat=True))

    def purge(
        self, *, before: datetime, after: datetime | None, limit: int
    ) -> tuple[int, datetime | None]:
        """
        Delete at most ``limit`` sessions that expired earlier than ``before``, the oldest first.

        Return how many they were, and when the last of them expired: the next call's ``after``,
        so that it need not walk over what this one has deleted. Rows that somebody else has
        locked are left to them. For use in a transaction.
        """
        rows = self.filter(expires_at__lt=before)
        if after is not None:
            rows = rows.filter(expires_at__gte=after)
        chosen = list(
            skipping_locked(rows).order_by("expires_at").values_list("pk", "expires_at")[:limit]
        )
        if not chosen:
            return 0, after
        self.filter(pk__in=[pk for pk, _ in chosen]).delete()
        return len(chosen), chosen[-1][1]


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


class MergeManager(models.Manager["Merge"]):
    def plan(self, *, winner: HostUser, loser: HostUser, plan: dict[str, Any]) -> Merge:
        """Write the plan down, over an earlier one of these two users that came to nothing."""
        key = {"winner_key": str(winner.pk), "loser_key": str(loser.pk)}
        merge = self.filter(**key, state=self.model.State.PLANNED).order_by("-pk").first()
        merge = merge or self.model(winner=winner, loser=loser, **key)
        merge.plan = plan
        merge.save()
        return merge

    def running(self, users: Iterable[HostUser], *, since: datetime) -> QuerySet[Merge]:
        """Return the merges of any of these users that were confirmed and have not ended."""
        keys = [str(user.pk) for user in users]
        return self.filter(
            models.Q(winner_key__in=keys) | models.Q(loser_key__in=keys),
            state=self.model.State.CONFIRMED,
            confirmed_at__gt=since,
        )


class DeletionRequestManager(models.Manager["DeletionRequest"]):
    def ask(
        self, user: HostUser, *, source: str, now: datetime, due_at: datetime
    ) -> tuple[DeletionRequest, bool]:
        """Return the user's request, and whether it is new. The first one counts."""
        return self.get_or_create(
            user=user, defaults={"source": source, "requested_at": now, "due_at": due_at}
        )

    def withdraw(self, request: DeletionRequest) -> bool:
        """Take the request back. Of all who do so or carry it out at once, one is told True."""
        return bool(self.filter(pk=request.pk).delete()[0])

    def due(self, *, now: datetime) -> QuerySet[DeletionRequest]:
        """Return what is due and was not tried since ``now``; what never failed comes first."""
        return self.filter(
            models.Q(failed_at__isnull=True) | models.Q(failed_at__lt=now), due_at__lte=now
        ).order_by(models.F("failed_at").asc(nulls_first=True), "due_at", "pk")

    def claim(self, pk: Any, *, now: datetime) -> DeletionRequest | None:
        """Lock this request if it is still due; None when it is gone, or somebody else has it."""
        return skipping_locked(self.filter(pk=pk, due_at__lte=now)).first()


def skipping_locked(rows: QuerySet) -> QuerySet:
    """
    Lock what the query gives, and leave out what others have locked.

    SQLite has one lock for all, which the transaction took when it began.
    """
    features = connections[rows.db].features
    return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)


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


class SmsCodeManager(models.Manager["SmsCode"]):
    def claim(
        self,
        *,
        number: str,
        purpose: str,
        digest: str,
        now: datetime,
        expires_at: datetime,
        gap: timedelta,
    ) -> bool:
        """
        Put a new code in the place of the old one, unless that is younger than ``gap``.

        Of many callers at once, one is told True. ``IntegrityError`` for two who were the first:
        run again.
        """
        fresh = {"digest": digest, "attempts": 0, "sent_at": now, "expires_at": expires_at}
        rows = self.filter(number=number, purpose=purpose)
        if rows.filter(sent_at__lte=now - gap).update(**fresh):
            return True
        if rows.exists():
            return False
        self.create(number=number, purpose=purpose, **fresh)
        return True

    def find(self, *, number: str, purpose: str) -> SmsCode | None:
        """Return the row, whether its code is live or not."""
        return self.filter(number=number, purpose=purpose).first()

    def give_back(self, *, number: str, purpose: str, digest: str, sent_at: datetime) -> None:
        """Forget a code that was never sent, and move its time to ``sent_at``."""
        self.filter(number=number, purpose=purpose, digest=digest).update(
            digest="", sent_at=sent_at, expires_at=sent_at
        )

    def count_attempt(self, *, number: str, purpose: str, now: datetime, limit: int) -> bool:
        """
        Count an attempt at the live code; tell whether it was within ``limit``.

        One statement: the row's lock makes parallel attempts wait for each other's count.
        """
        live = self.filter(number=number, purpose=purpose, expires_at__gt=now).exclude(digest="")
        return bool(live.filter(attempts__lt=limit).update(attempts=models.F("attempts") + 1))

    def spend(self, pk: int, digest: str) -> bool:
        """End the code. Of many callers at once, one is told True."""
        return bool(self.filter(pk=pk, digest=digest).exclude(digest="").update(digest=""))


class TallyManager(models.Manager):
    def add_one(self, name: str, *, limit: int, expires_at: datetime) -> bool:
        """
        Count one more; tell whether it was within ``limit``, without counting beyond it.

        ``IntegrityError`` for two who were the first: run again.
        """
        rows = self.filter(name=name)
        if rows.filter(count__lt=limit).update(count=models.F("count") + 1):
            return True
        # Not just any row: one that somebody has made since the update above still has room.
        if limit < 1 or rows.filter(count__gte=limit).exists():
            return False
        self.create(name=name, count=1, expires_at=expires_at)
        return True

    def take_back(self, names: Iterable[str]) -> None:
        """Count one less of each."""
        self.filter(name__in=list(names), count__gt=0).update(count=models.F("count") - 1)
