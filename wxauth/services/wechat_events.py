"""
What WeChat tells of people while they are away: that they took back a consent, or left WeChat.

See "授权用户信息变更" in the mini program documentation. Each event is handled in one transaction,
and twice is the same as once.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from wxauth import crypto, sealed_cache, session_keys, transactions
from wxauth.conf import HostUser, WechatApp
from wxauth.exceptions import WechatDataInvalid
from wxauth.models import (
    AuditEvent,
    LoginSession,
    PhoneNumber,
    ProviderToken,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services import audit
from wxauth.services.avatars import forget_picture_of
from wxauth.services.leaving import request_deletion_for_wechat
from wxauth.services.locking import lock_people
from wxauth.services.ways_in import has_way_in
from wxauth.signals import consent_revoked, user_logged_out

logger = logging.getLogger("wxauth.push")

MAX_AGE = 300  # seconds between WeChat's timestamp and us
NUMBER = re.compile(r"[0-9]{1,4}")

# WeChat's numbers of what can be taken back, as far as we store it.
EVERYTHING = {301}  # of a website or a mobile app
NICKNAME = {6, 19, 205} | EVERYTHING
AVATAR = {6, 20, 205} | EVERYTHING
PHONE = {8}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSignature:
    """How a push is signed: the fields of its address."""

    timestamp: str
    nonce: str
    signature: str = field(default="", repr=False)
    msg_signature: str = field(default="", repr=False)


def check_push(app: WechatApp, signature: PushSignature, *, encrypted: str | None = None) -> None:
    """
    Check that WeChat sent this, to this app, in the last five minutes.

    With ``encrypted`` the signature covers the body; without, only that WeChat knows the token.
    Raise ``WechatDataInvalid``.
    """
    if not app.push_token:
        raise WechatDataInvalid(reason="the app has no push_token")
    stamp = signature.timestamp
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise WechatDataInvalid(reason="the push has no timestamp")
    crypto.check_push_signature(
        signature.signature if encrypted is None else signature.msg_signature,
        token=app.push_token,
        timestamp=stamp,
        nonce=signature.nonce,
        encrypted=encrypted,
    )
    if abs(time.time() - int(stamp)) > MAX_AGE:
        raise WechatDataInvalid(reason="the push is too old, or from the future")


def use_push_once(app: WechatApp, signature: PushSignature) -> Callable[[], Any]:
    """
    Refuse a push that has been here before, whatever its body says now.

    Return what makes it good again: when it could not be handled, WeChat shall send it once more.
    Raise ``WechatDataInvalid``, or ``StoreUnavailable``.
    """
    # By what the signature is made of, without the body: plain mode does not sign that.
    text = f"{app.app_id}\n{signature.timestamp}\n{signature.nonce}"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    name = f"wxauth:push:{digest}"
    if not sealed_cache.first_use(name, ttl=2 * MAX_AGE):
        raise WechatDataInvalid(reason="the push has been here before")
    return lambda: sealed_cache.delete(name)


def handle_event(*, app: WechatApp, message: Mapping[str, str]) -> bool:
    """
    Do what the event asks for; False for one that is none of ours, or of nobody we know.

    Raise ``WechatDataInvalid`` when the message is for another app.
    """
    handle = HANDLERS.get(message.get("Event", ""))
    if handle is None:
        return False
    if message.get("AppID", app.app_id) != app.app_id:
        raise WechatDataInvalid(reason="the event is of another app")

    openid = message.get("OpenID", "")
    if not openid.isprintable():  # no database takes it
        return False

    def step() -> list[Any] | None:
        found = WechatIdentity.objects.find(app_id=app.app_id, openid=openid)
        if found is None:
            return None
        # A sign-in that is under way ends before its session is looked for, and nobody takes the
        # last way in off the account, or merges it, in the middle.
        lock_people(found.user_id)
        identity = WechatIdentity.objects.find(app_id=app.app_id, openid=openid)
        if identity is not None and identity.user_id != found.user_id:
            raise IntegrityError("the identity is another user's by now: find again")
        return None if identity is None else handle(app, identity, message)

    sids = transactions.run(step)
    is_known = sids is not None
    logger.info("%s, app %s, person known: %s", message["Event"], app.alias, is_known)
    session_keys.forget(sids or [])
    return is_known


def _on_modified(app: WechatApp, identity: WechatIdentity, message: Mapping[str, str]) -> list[Any]:
    """WeChat found the nickname or the picture to be against its rules, and removed it."""
    _blank_profile(identity.user, ["nickname", "avatar_url"])
    return []


def _on_revoke(app: WechatApp, identity: WechatIdentity, message: Mapping[str, str]) -> list[Any]:
    user = identity.user
    revoked = sorted({int(n) for n in NUMBER.findall(message.get("RevokeInfo", ""))})
    erased = []
    fields = [
        name
        for name, numbers in (("nickname", NICKNAME), ("avatar_url", AVATAR))
        if numbers & set(revoked)
    ]
    if fields:
        if _blank_profile(user, fields):
            erased += fields
        ProviderToken.objects.filter(identity=identity).delete()
    if PHONE & set(revoked) and PhoneNumber.objects.filter(user=user).delete()[0]:
        erased.append("phone")
        audit.record(AuditEvent.Kind.PHONE_UNBOUND, user=user, app=app.alias, by="wechat")
    audit.record(
        AuditEvent.Kind.CONSENT_REVOKED,
        user=user,
        app=app.alias,
        by="wechat",
        revoked=revoked,
        erased=erased,
    )
    transactions.send_after_commit(consent_revoked, user=user, app=app.alias, revoked=revoked)
    return _end_sessions_by(identity, now=timezone.now()) if EVERYTHING & set(revoked) else []


def _on_cancellation(
    app: WechatApp, identity: WechatIdentity, message: Mapping[str, str]
) -> list[Any]:
    """
    The person has closed the WeChat account: this identity can never sign in again.

    It is erased. An account with no other way in is deleted, without days in which to come back.
    """
    user = identity.user
    sids = _end_sessions_by(identity, now=timezone.now())
    WechatIdentity.objects.filter(pk=identity.pk).delete()
    others = WechatIdentity.objects.filter(user=user)
    unionid = identity.unionid
    if unionid is not None and not others.filter(unionid=unionid).exists():
        WechatUnion.objects.filter(user=user, scope=app.union_scope, unionid=unionid).delete()
    audit.record(AuditEvent.Kind.WECHAT_UNBOUND, user=user, app=app.alias, by="wechat")
    has_phone = PhoneNumber.objects.of(user) is not None
    if not has_way_in(user, identities=list(others), has_phone=has_phone):
        sids += request_deletion_for_wechat(user=user)
    return sids


def _end_sessions_by(identity: WechatIdentity, *, now: datetime) -> list[Any]:
    sids = LoginSession.objects.open_by([identity], now=now)
    if LoginSession.objects.revoke(sids, now=now):
        transactions.send_after_commit(user_logged_out, user=identity.user, sessions=sids)
    return list(sids)


def _blank_profile(user: HostUser, names: list[str]) -> bool:
    if "avatar_url" in names:
        forget_picture_of(user)
    return bool(WechatProfile.objects.filter(user=user).update(**dict.fromkeys(names, "")))


Handler = Callable[[WechatApp, WechatIdentity, Mapping[str, str]], list[Any]]
HANDLERS: dict[str, Handler] = {
    "user_info_modified": _on_modified,
    "user_authorization_revoke": _on_revoke,
    "user_authorization_cancellation": _on_cancellation,
}
