"""One table each: what is asked of it, how it changes, and who wins a race for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models
from django.db.models import QuerySet

from wxauth.conf import HostUser

if TYPE_CHECKING:
    from wxauth.models import (
        AuditEvent,
        LoginSession,
        PhoneNumber,
        Referral,
        SmsCode,
        WechatIdentity,
        WechatProfile,
        WechatUnion,
    )


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

    def lock(self, number: str) -> PhoneNumber | None:
        """
        Return the row of this number, locked until the transaction ends; None when unbound.

        Who decides by what its user has got must hold it: two who attach an identity by the same
        number take turns.
        """
        return self.select_for_update().filter(number=number).first()


class ReferralManager(models.Manager["Referral"]):
    def of(self, referee: HostUser) -> Referral | None:
        """Return who invited this user, and when; None when nobody did."""
        return self.filter(referee=referee).first()


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
        if limit < 1 or rows.exists():
            return False
        self.create(name=name, count=1, expires_at=expires_at)
        return True

    def take_back(self, names: Iterable[str]) -> None:
        """Count one less of each."""
        self.filter(name__in=list(names), count__gt=0).update(count=models.F("count") - 1)


class PasswordDateManager(models.Manager):
    def note(self, user: HostUser, *, now: datetime) -> None:
        """Write down that the user has set a password."""
        self.update_or_create(user=user, defaults={"set_at": now})

    def was_set_since(self, user: HostUser, moment: datetime) -> bool:
        """Tell whether the user has set a password through us at ``moment`` or later."""
        return self.filter(user=user, set_at__gte=moment).exists()
