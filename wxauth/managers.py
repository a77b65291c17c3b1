"""One table each: what is asked of it, how it changes, and who wins a race for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db import connections, models
from django.db.models import QuerySet

from wxauth.conf import HostUser

if TYPE_CHECKING:
    from wxauth.models import (
        AuditEvent,
        DeletionRequest,
        LoginSession,
        Merge,
        PhoneNumber,
        Referral,
        WechatIdentity,
        WechatProfile,
        WechatUnion,
    )

T = TypeVar("T")


def _only(rows: Iterable[T]) -> T | None:
    """Return the one row that a unique key finds, or None. ``first()`` also has it sorted."""
    return next(iter(rows), None)


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


class ReferralManager(models.Manager["Referral"]):
    def of(self, referee: HostUser) -> Referral | None:
        """Return who invited this user, and when; None when nobody did."""
        return _only(self.filter(referee=referee))


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
        self, kind: str, *, user: HostUser | None, actor: HostUser | None = None, **fields: Any
    ) -> AuditEvent:
        """Add one row. ``actor`` is who did it, when it is not ``user``."""
        doer = actor if actor is not None else user
        return self.create(
            kind=kind,
            user=user,
            user_key="" if user is None else str(user.pk),
            actor=doer,
            actor_key="" if doer is None else str(doer.pk),
            **fields,
        )


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
