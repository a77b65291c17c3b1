"""Signing in by web authorisation: official accounts, websites, mobile apps."""

from dataclasses import dataclass, field
from typing import Any

from wxauth import handovers, tokens
from wxauth.conf import AppKind, WechatApp, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import TicketInvalid, UnknownApp, WechatSnapshotUser
from wxauth.identities import ConfirmedPerson
from wxauth.models import LoginSession
from wxauth.services.freshness import require_fresh
from wxauth.services.linking import Linked, link
from wxauth.services.open_data import Profile, make_profile
from wxauth.services.provider_tokens import keep_grant
from wxauth.services.sessions import open_session_of
from wxauth.services.sign_in import SignIn, authorize
from wxauth.wechat import oauth
from wxauth.wechat.oauth import PROFILE_SCOPES
from wxauth.wechat.types import OAuthGrant

KINDS = (AppKind.OFFICIAL_ACCOUNT, AppKind.WEBSITE, AppKind.MOBILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthProof:
    """Who WeChat says has authorised the app, and how they are called there."""

    person: ConfirmedPerson
    grant: OAuthGrant
    profile: Profile = field(default_factory=Profile)


def oauth_app(alias: str | None) -> WechatApp:
    """Return the app of this alias that people authorise; None is the first. ``UnknownApp``."""
    for app in conf.apps.values():
        if alias in (None, app.alias) and app.kind in KINDS:
            return app
    raise UnknownApp(reason="no app with this alias is authorised by people")


def confirm_oauth_code(*, oauth_code: str, app: str | None = None) -> OAuthProof:
    """
    Spend the code of an authorisation at WeChat, and return who it confirms.

    Where the profile was granted it is asked for: in official accounts the unionid comes with it.
    Nothing is stored. Raise ``UnknownApp`` before WeChat is asked;
    ``WechatSnapshotUser`` for the visitor of a snapshot page, who is nobody; ``WechatScopeMissing``
    when the profile is refused all the same, as to a snapshot that does not say so.
    """
    wechat_app = oauth_app(app)
    grant = oauth.exchange(wechat_app, oauth_code=oauth_code)
    if grant.is_snapshot:
        raise WechatSnapshotUser(reason="the page ran as a snapshot")
    unionid, profile = grant.unionid, Profile()
    if grant.scope & PROFILE_SCOPES:
        told = oauth.user_info(grant)
        unionid = told.unionid or unionid
        profile = make_profile(nickname=told.nickname, avatar_url=told.avatar_url)
    person = ConfirmedPerson(app=wechat_app, openid=grant.openid, unionid=unionid)
    return OAuthProof(person=person, grant=grant, profile=profile)


def sign_in_by_oauth(
    *, proof: OAuthProof, referrer: Any = None, scene: Any = None, device: Device = NOWHERE
) -> SignIn:
    """
    Sign in, and register silently who has no account, with the name and picture of WeChat.

    Whoever is known in another app of the union scope is that user. Raise ``UserInactive``.
    """
    result = authorize(
        person=proof.person, profile=proof.profile, referrer=referrer, scene=scene, device=device
    )
    assert result.identity is not None  # WeChat has said who it is
    keep_grant(identity=result.identity, grant=proof.grant)
    return result


def take_over(*, ticket: str) -> SignIn:
    """
    Return the session behind a ticket that a browser was sent back with, and its tokens.

    Raise ``TicketInvalid``, also when the session is over, or ``StoreUnavailable``.
    """
    session = open_session_of(sid=handovers.redeem(ticket))
    if session is None:
        raise TicketInvalid(reason="its session is over")
    return SignIn(
        user=session.user,
        identity=session.identity,
        session=session,
        tokens=tokens.issue(session),
        registered=False,
    )


def bind_oauth(*, session: LoginSession, proof: OAuthProof, device: Device = NOWHERE) -> Linked:
    """
    Link who has authorised the app to the signed-in user, by the rules of ``bind_wechat``.

    Raise ``FreshSignInRequired``, ``IdentityTaken``, ``AlreadyLinked`` or ``UserInactive``.
    """
    require_fresh(session)
    linked = link(session=session, person=proof.person, device=device)
    keep_grant(identity=linked.identity, grant=proof.grant)
    return linked
