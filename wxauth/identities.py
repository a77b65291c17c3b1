"""From what WeChat confirms to the user it belongs to: the identity rules, and nothing else."""

import logging
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError

from wxauth import transactions
from wxauth.conf import HostUser, WechatApp
from wxauth.devices import NOWHERE, Device
from wxauth.models import AuditEvent, WechatIdentity, WechatUnion
from wxauth.signals import union_conflict

logger = logging.getLogger("wxauth.identities")


@dataclass(frozen=True, slots=True)
class ConfirmedPerson:
    """Somebody whom WeChat has confirmed to us in one app. Nothing in here came from a client."""

    app: WechatApp
    openid: str
    unionid: str | None = None
    session_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Match:
    """The user that a person is; ``identity`` is None when only the unionid has told."""

    user: HostUser
    identity: WechatIdentity | None


def find(person: ConfirmedPerson) -> Match | None:
    """
    Return the user of this person, by (app_id, openid) first and by unionid second. Reads only.

    One query for a known openid, two for an unknown one.
    """
    identity = WechatIdentity.objects.find(app_id=person.app.app_id, openid=person.openid)
    if identity is not None:
        return Match(user=identity.user, identity=identity)
    if person.unionid is not None:
        union = WechatUnion.objects.find(scope=person.app.union_scope, unionid=person.unionid)
        if union is not None:
            return Match(user=union.user, identity=None)
    return None


def register(person: ConfirmedPerson, user: HostUser, *, now: datetime) -> WechatIdentity:
    """
    Give a person whom ``find`` did not know to ``user``, who is new.

    ``IntegrityError`` when somebody else was faster: find again. The union goes first, so that
    parallel registrations through two apps of one scope wait for each other in one place.
    """
    if person.unionid is not None:
        WechatUnion.objects.create(
            scope=person.app.union_scope, unionid=person.unionid, user=user, created_at=now
        )
    return _create_identity(person, user, now=now)


def settle(
    match: Match, person: ConfirmedPerson, *, now: datetime, device: Device = NOWHERE
) -> WechatIdentity:
    """
    Write down that a known person is here, and what is new about them; return their identity.

    One UPDATE when nothing is new. A unionid seen for the first time is claimed; when it belongs
    to another user, the person stays who the openid says, ``union_conflict_at`` is set on the
    identity, and once that is recorded and the signal is sent. ``IntegrityError`` when a parallel
    sign-in attached the identity first, a merge gave it or its union to another user, or a
    deletion took it away: find again.
    """
    if match.identity is None:
        _hold_union(person, match.user)
        return _create_identity(person, match.user, now=now)
    identity = match.identity
    identity.last_login_at = now
    changed = ["last_login_at"]
    is_new = identity.unionid != person.unionid
    if person.unionid is not None and (is_new or identity.union_conflict_at is not None):
        union = WechatUnion.objects.claim(
            scope=person.app.union_scope, unionid=person.unionid, user=match.user
        )
        if union.user_id == identity.user_id:
            identity.unionid, identity.union_conflict_at = union.unionid, None
            changed += ["unionid", "union_conflict_at"]
        else:
            _record_conflict(identity, union, person.app, device, now=now)
    if not WechatIdentity.objects.change(identity, changed):
        raise IntegrityError("the identity is gone, or another user's: find again")
    return identity


def _hold_union(person: ConfirmedPerson, user: HostUser) -> None:
    unions = WechatUnion.objects.filter(
        scope=person.app.union_scope, unionid=person.unionid, user=user
    )
    if unions.select_for_update().first() is None:
        raise IntegrityError("the union belongs to another user by now")


def _record_conflict(
    identity: WechatIdentity, union: WechatUnion, app: WechatApp, device: Device, *, now: datetime
) -> None:
    if not WechatIdentity.objects.begin_conflict(identity, union.unionid, now=now):
        return  # it is known, perhaps since a moment ago by a parallel sign-in
    logger.warning("identity %s: its unionid belongs to user %s", identity.pk, union.user_id)
    AuditEvent.objects.record(
        AuditEvent.Kind.UNION_CONFLICT,
        user=identity.user,
        device=device,
        app=app.alias,
        facts={"identity": identity.pk, "holder": str(union.user_id)},
        at=now,
    )
    transactions.send_after_commit(
        union_conflict, user=identity.user, identity=identity, holder=union.user
    )


def _create_identity(person: ConfirmedPerson, user: HostUser, *, now: datetime) -> WechatIdentity:
    return WechatIdentity.objects.create(
        user=user,
        app_id=person.app.app_id,
        openid=person.openid,
        unionid=person.unionid,
        created_at=now,
        last_login_at=now,
    )
