"""Linking WeChat to an account that exists, and taking WeChat or the phone off it again."""

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from wxauth import backends, identities, session_keys, transactions
from wxauth.conf import HostUser, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import AlreadyLinked, IdentityTaken, NotFound, TokenInvalid
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, WechatIdentity, WechatUnion
from wxauth.services import audit
from wxauth.services.freshness import require_fresh
from wxauth.services.locking import lock_people
from wxauth.services.sessions import revoke
from wxauth.services.ways_in import check_way_in
from wxauth.signals import phone_unbound, wechat_bound, wechat_unbound


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The identity that is the user's; ``is_new`` tells that it was linked just now."""

    identity: WechatIdentity
    is_new: bool


def bind_wechat(
    *,
    session: LoginSession,
    login_code: str,
    app: str | None = None,
    device: Device = NOWHERE,
) -> Linked:
    """
    Link the WeChat account behind ``login_code`` to the signed-in user; once more is no fault.

    Nobody is moved: raise ``IdentityTaken`` when its openid, or its unionid in this union scope,
    is another user's, and ``AlreadyLinked`` when the user is somebody else in this app already.
    ``app`` is an alias; None is the default mini program. Raise ``FreshSignInRequired`` before
    the code is spent, ``UnknownApp``, ``UserInactive``, or the ``WechatError`` that WeChat answers.
    """
    require_fresh(session)
    person = backends.confirm(login_code=login_code, app=app)
    return link(session=session, person=person, device=device)


def link(*, session: LoginSession, person: ConfirmedPerson, device: Device = NOWHERE) -> Linked:
    """
    Link a person whom WeChat has confirmed just now to the signed-in user.

    Raise ``IdentityTaken``, ``AlreadyLinked``, ``UserInactive``. Whether the sign-in is fresh, the
    caller has looked.
    """
    linked = transactions.run(lambda: _link(session.user, person, device))
    if linked is None:
        raise IdentityTaken(reason="the unionid is another user's")
    if session.identity_id in (None, linked.identity.pk):
        # This code has pushed out the key that was kept, if there was one.
        session_keys.keep(session.id, person.session_key)
    return linked


def unbind_wechat(
    *,
    session: LoginSession,
    app: str | None = None,
    identity_id: int | None = None,
    device: Device = NOWHERE,
) -> bool:
    """
    Unlink the identity with this id, or all that the user has in the app with this alias.

    Every session that began with it ends; return whether this ``session`` was one of them. A
    unionid that no identity of the user bears any more is free again. Raise
    ``FreshSignInRequired``, ``UnknownApp``, ``NotFound`` when it is not the user's, and
    ``LastSignInMethod``.
    """
    require_fresh(session)
    app_id = None if app is None else conf.app(app).app_id
    ended = transactions.run(
        lambda: _unlink(session.user, app_id=app_id, identity_id=identity_id, device=device)
    )
    session_keys.forget(ended)
    return session.id in ended


def unbind_phone(*, session: LoginSession, device: Device = NOWHERE) -> None:
    """
    Take the phone number off the signed-in user; nothing happens when there is none.

    Raise ``FreshSignInRequired`` or ``LastSignInMethod``.
    """
    require_fresh(session)

    def step() -> None:
        user, mine = _lock(session.user)
        phone = PhoneNumber.objects.of(user)
        if phone is None:
            return
        check_way_in(user, identities=mine, has_phone=False)
        PhoneNumber.objects.filter(pk=phone.pk).delete()
        audit.record(AuditEvent.Kind.PHONE_UNBOUND, user=user, device=device, phone=phone.masked)
        transactions.send_after_commit(phone_unbound, user=user, phone=phone)

    transactions.run(step)


def _link(owner: HostUser, person: ConfirmedPerson, device: Device) -> Linked | None:
    """Return the link; None when the unionid is another user's, which has been written down."""
    user, mine = _lock(owner)
    alias = person.app.alias
    match = identities.find(person)
    if match is not None and match.user.pk != user.pk:
        if match.identity is not None:
            raise IdentityTaken(reason="the openid is another user's")
        audit.record_refusal(
            AuditEvent.Kind.UNION_CONFLICT,
            user=user,
            device=device,
            app=alias,
            holder=str(match.user.pk),
            by="bind_wechat",
        )
        return None
    now = timezone.now()
    if match is not None and match.identity is not None:
        return Linked(identity=identities.settle(match, person, now=now), is_new=False)
    if any(each.app_id == person.app.app_id for each in mine):
        raise AlreadyLinked(reason="the user has another identity in this app")
    identity = (
        identities.register(person, user, now=now)
        if match is None
        else identities.settle(match, person, now=now)
    )
    audit.record(
        AuditEvent.Kind.WECHAT_BOUND,
        user=user,
        device=device,
        app=alias,
        identity=identity.pk,
        by="wechat",
    )
    transactions.send_after_commit(wechat_bound, user=user, identity=identity, by="wechat")
    return Linked(identity=identity, is_new=True)


def _unlink(
    owner: HostUser, *, app_id: str | None, identity_id: int | None, device: Device
) -> list[UUID]:
    user, mine = _lock(owner)
    gone = [each for each in mine if each.pk == identity_id or each.app_id == app_id]
    if not gone:
        raise NotFound(reason="the user has no such identity")
    # While its unionid is another user's, the phone button would lead to that one.
    leads_elsewhere = any(each.union_conflict_at is not None for each in gone)
    check_way_in(
        user,
        identities=[each for each in mine if each not in gone],
        has_phone=PhoneNumber.objects.of(user) is not None,
        button_leads_here=not leads_elsewhere,
    )
    ended = LoginSession.objects.open_by(gone, now=timezone.now())
    revoke(ended, user=user)
    WechatIdentity.objects.filter(pk__in=[each.pk for each in gone]).delete()
    aliases = {app.app_id: app.alias for app in conf.apps.values()}
    for identity in gone:
        if identity.unionid is not None:
            WechatUnion.objects.drop_unused(user, unionid=identity.unionid)
        audit.record(
            AuditEvent.Kind.WECHAT_UNBOUND,
            user=user,
            device=device,
            app=aliases.get(identity.app_id, ""),
            identity=identity.pk,
            sessions_ended=len(ended),
        )
        transactions.send_after_commit(wechat_unbound, user=user, identity=identity)
    return ended


def _lock(owner: HostUser) -> tuple[HostUser, list[WechatIdentity]]:
    """Lock the user and what leads to them, so that sign-ins wait; return what is so now."""
    user = lock_people(owner.pk).get(owner.pk)
    if user is None:
        raise TokenInvalid(reason="the user is gone")
    backends.check_entry(user)
    return user, list(WechatIdentity.objects.filter(user=user).order_by("pk"))
