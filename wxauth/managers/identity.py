"""Identities and unions: whose they are, and who is told so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from wxauth.conf import HostUser
from wxauth.managers.rows import only

if TYPE_CHECKING:
    from wxauth.models import (
        WechatIdentity,
        WechatUnion,
    )


class WechatIdentityManager(models.Manager["WechatIdentity"]):
    def find(self, *, app_id: str, openid: str) -> WechatIdentity | None:
        """Return the identity with its user and that one's deletion request. One query."""
        rows = self.select_related("user__wxauth_deletion")
        return only(rows.filter(app_id=app_id, openid=openid))

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
        return only(rows.filter(scope=scope, unionid=unionid))

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
