"""What people have granted to our apps over the web: kept, renewed, and used for their profile."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from wxauth import transactions
from wxauth.conf import WechatApp, conf
from wxauth.exceptions import UnknownApp, WechatReauthorize
from wxauth.models import ProviderToken, WechatIdentity, WechatProfile
from wxauth.models.provider_token import TokenTexts
from wxauth.services.avatars import forget_picture_of
from wxauth.services.locking import lock_entrant
from wxauth.services.open_data import Profile, make_profile
from wxauth.wechat import oauth
from wxauth.wechat.types import OAuthGrant

EARLY = timedelta(minutes=5)  # an access token that ends sooner is renewed before it is used
MAX_SCOPE = 128  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAccess:
    """With what one call of WeChat's is made in the name of a person."""

    access_token: str = field(repr=False)
    openid: str
    scope: frozenset[str]
    ends_at: datetime


def keep_grant(*, identity: WechatIdentity, grant: OAuthGrant) -> None:
    """
    Keep the tokens of a grant, encrypted, if ``WXAUTH_KEEP_PROVIDER_TOKENS`` says so.

    A newer grant takes the place of the older one. Nothing is kept for an identity that is gone.
    """
    if not conf.keep_provider_tokens or not grant.refresh_token:
        return
    row = _row(identity, grant, ends_at=timezone.now() + _lifetime(identity))

    def step() -> None:
        if WechatIdentity.objects.select_for_update().filter(pk=identity.pk).first() is not None:
            ProviderToken.objects.keep(row)

    transactions.run(step)


def provider_access(*, identity: WechatIdentity) -> ProviderAccess:
    """
    Return a good access token of this person; it is renewed when it ends within five minutes.

    Raise ``WechatReauthorize`` when none is kept, or WeChat takes it no longer: then it is
    forgotten, and the person has to authorise the app again. Or another ``WechatError``.
    """
    row, texts = _read(identity)
    if row.access_ends_at - EARLY <= timezone.now():
        return refresh_provider_token(identity=identity)
    return _access(row, texts, identity)


def refresh_provider_token(*, identity: WechatIdentity) -> ProviderAccess:
    """
    Renew the tokens at WeChat now, and return the access token. Raise as ``provider_access``.

    Of many calls at once, all get tokens that are good: WeChat prolongs one and the same.
    """
    row, texts = _read(identity)
    app = _app(identity)
    try:
        grant = oauth.renew(app, refresh_token=texts.refresh_token)
        if grant.openid != identity.openid:
            raise WechatReauthorize(reason="the renewed grant is of another person")
    except WechatReauthorize:
        ProviderToken.objects.forget(row)
        raise
    # A refresh token lives on from its own beginning, unless WeChat gives a new one.
    is_same = grant.refresh_token in ("", texts.refresh_token)
    ends_at = row.ends_at if is_same else timezone.now() + _lifetime(identity)
    renewed = _row(identity, grant, ends_at=ends_at, refresh_token=texts.refresh_token)
    renewed.version = row.version
    if not ProviderToken.objects.replace(renewed):
        # Somebody else has renewed it, or the person has authorised anew: theirs is the later one.
        row, texts = _read(identity)
        return _access(row, texts, identity)
    return _access(renewed, TokenTexts(grant.access_token, ""), identity)


def read_wechat_profile(*, identity: WechatIdentity) -> Profile:
    """
    Ask WeChat how this person is called now. Nothing is stored. Raise as ``provider_access``.

    Raise ``WechatScopeMissing`` when they have granted less than that.
    """
    access = provider_access(identity=identity)
    try:
        told = oauth.user_info(_grant(access))
    except WechatReauthorize:
        told = None
    if told is None:  # displaced before its time: once more with a new one, if there is one
        told = oauth.user_info(_grant(refresh_provider_token(identity=identity)))
    return make_profile(nickname=told.nickname, avatar_url=told.avatar_url)


def refresh_profile(*, identity: WechatIdentity) -> Profile:
    """
    Write the name and the picture that this person has in WeChat now into their profile.

    What they have written there themselves is replaced; what WeChat does not tell stays. Raise as
    ``read_wechat_profile``.
    """
    told = read_wechat_profile(identity=identity)
    changes = {
        name: value
        for name, value in (("nickname", told.nickname), ("avatar_url", told.avatar_url))
        if value
    }

    def step() -> None:
        lock_entrant(identity.user)
        if "avatar_url" in changes:
            forget_picture_of(identity.user)
        WechatProfile.objects.change(identity.user, **changes)

    if changes:
        transactions.run(step)
    return told


def _read(identity: WechatIdentity) -> tuple[ProviderToken, TokenTexts]:
    row = ProviderToken.objects.of(identity)
    if row is None:
        raise WechatReauthorize(reason="no provider token is kept")
    texts = row.open()
    if texts is None or row.is_over(timezone.now()):
        ProviderToken.objects.forget(row)
        raise WechatReauthorize(reason="the provider token has ended, or its key is gone")
    return row, texts


def _row(
    identity: WechatIdentity, grant: OAuthGrant, *, ends_at: datetime, refresh_token: str = ""
) -> ProviderToken:
    row = ProviderToken(
        identity=identity,
        scope=",".join(sorted(grant.scope))[:MAX_SCOPE],
        access_ends_at=timezone.now() + timedelta(seconds=grant.expires_in),
        ends_at=ends_at,
    )
    row.close(TokenTexts(grant.access_token, grant.refresh_token or refresh_token))
    return row


def _access(row: ProviderToken, texts: TokenTexts, identity: WechatIdentity) -> ProviderAccess:
    return ProviderAccess(
        access_token=texts.access_token,
        openid=identity.openid,
        scope=frozenset(row.scope.split(",")),
        ends_at=row.access_ends_at,
    )


def _grant(access: ProviderAccess) -> OAuthGrant:
    return OAuthGrant(
        openid=access.openid,
        unionid=None,
        scope=access.scope,
        access_token=access.access_token,
        is_snapshot=False,
    )


def _app(identity: WechatIdentity) -> WechatApp:
    for app in conf.apps.values():
        if app.app_id == identity.app_id:
            return app
    raise UnknownApp(reason="the app of the identity is no longer configured")


def _lifetime(identity: WechatIdentity) -> timedelta:
    return oauth.REFRESH_LIFETIME[_app(identity).kind]
