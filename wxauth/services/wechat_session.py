"""WeChat's own session, which is the session_key: is it still good, and may we have another."""

from wxauth import session_keys
from wxauth.conf import AppKind, WechatApp, conf
from wxauth.exceptions import WechatSessionStale
from wxauth.models import LoginSession, WechatIdentity
from wxauth.wechat import client


def check_wechat_session(*, session: LoginSession) -> bool:
    """
    Ask WeChat whether the session_key kept for this sign-in is still the person's.

    False: a later ``wx.login`` has replaced it. Raise ``WechatSessionStale`` when none is kept,
    ``UnknownApp``, ``StoreUnavailable``, or the ``WechatError`` that WeChat answers.
    """
    app, openid = _person(session)
    return client.check_session_key(app, openid=openid, session_key=session_keys.fetch(session.id))


def reset_wechat_session(*, session: LoginSession) -> None:
    """
    Have WeChat replace the session_key, and keep the new one: what was encrypted with the old one
    no longer opens. Raise what ``check_wechat_session`` raises, and ``WechatSessionStale`` when
    the key that is kept is not the current one.
    """
    app, openid = _person(session)
    session_key = session_keys.fetch(session.id)
    renewed = client.reset_session_key(app, openid=openid, session_key=session_key)
    session_keys.replace(session.id, renewed.session_key)


def _person(session: LoginSession) -> tuple[WechatApp, str]:
    app = conf.app(session.app or None, kind=AppKind.MINI_PROGRAM)
    identity = session.identity
    if identity is None or identity.app_id != app.app_id:
        identity = WechatIdentity.objects.of(session.user, app_id=app.app_id)
    if identity is None:
        raise WechatSessionStale(reason="the user is not known in this app")
    return app, identity.openid
