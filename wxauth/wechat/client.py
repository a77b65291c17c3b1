"""
The calls a sign-in needs, one function each: WeChat's answer, checked, as a record.

Every function raises the ``WechatError`` that WeChat's errcode stands for, ``WechatUnavailable``
or ``WechatTimeout`` when there is no answer, and ``WechatError`` itself when the answer makes no
sense. Pages: developers.weixin.qq.com, mini program, server API, "小程序登录" and "用户信息".
"""

import base64
import binascii
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.views.decorators.debug import sensitive_variables

from wxauth import crypto
from wxauth.conf import WechatApp
from wxauth.exceptions import (
    WechatCodeInvalid,
    WechatDataInvalid,
    WechatError,
    WechatPhoneCodeInvalid,
    WechatSessionStale,
    WechatUnavailable,
)
from wxauth.wechat import access_token
from wxauth.wechat.errcodes import (
    CHECK_SESSION,
    CODE_TO_SESSION,
    PHONE_NUMBER,
    RESET_SESSION_KEY,
    Retry,
    meaning,
)
from wxauth.wechat.exchange import ask
from wxauth.wechat.types import AccessToken, Answer, Call, CodeSession, PhoneInfo

logger = logging.getLogger("wxauth.wechat")

PHONE_AGE = 600  # seconds; the code itself lives 300

_CODE = re.compile(r"[!-~]{1,512}")
_ID = re.compile(r"[!-~]{1,128}")
_NOBODY = {"", "null", "none", "undefined"}  # what careless software writes for "no id"
_NUMBER = re.compile(r"[0-9]{4,20}")
_COUNTRY = re.compile(r"\+?([1-9][0-9]{0,3})")


@sensitive_variables("login_code", "answer")
def code_to_session(app: WechatApp, *, login_code: str) -> CodeSession:
    """
    Exchange what ``wx.login`` gave the client; spends ``login_code``.

    Raise ``WechatCodeInvalid`` when the code is wrong, used, or older than 5 minutes.
    """
    if not is_code(login_code):
        raise WechatCodeInvalid(reason="login_code is not printable ASCII of a code's length")
    answer = ask(
        Call(
            CODE_TO_SESSION,
            query={
                "appid": app.app_id,
                "secret": app.app_secret,
                "js_code": login_code,
                "grant_type": "authorization_code",
            },
        )
    )
    return CodeSession(
        openid=read_openid(answer),
        unionid=read_unionid(answer),
        session_key=_session_key(answer),
    )


@sensitive_variables("phone_code")
def check_phone_code(phone_code: str) -> None:
    """Raise ``WechatPhoneCodeInvalid`` for what cannot be one: before anything is spent for it."""
    if not is_code(phone_code):
        raise WechatPhoneCodeInvalid(reason="phone_code is not printable ASCII of a code's length")


@sensitive_variables("phone_code", "body", "answer", "info", "number")
def phone_number(app: WechatApp, *, phone_code: str, openid: str | None = None) -> PhoneInfo:
    """
    Exchange what the phone button gave the client; spends ``phone_code``.

    With ``openid`` WeChat refuses the code of another person. Raise ``WechatPhoneCodeInvalid``
    when the code is wrong, used, too old, or not this person's; ``WechatDataInvalid`` when the
    answer bears the watermark of another app.
    """
    check_phone_code(phone_code)
    body = {"code": phone_code} if openid is None else {"code": phone_code, "openid": openid}
    answer = _ask_with_token(
        app,
        lambda token: Call(PHONE_NUMBER, query={"access_token": token.value}, body=body),
    )
    info = _inner(answer, "phone_info")
    issued_at = _watermark(app, info)
    number, country = info.get("purePhoneNumber"), info.get("countryCode")
    # A number in the documentation's sample, a text in real answers.
    prefix = _COUNTRY.fullmatch(str(country))
    if not isinstance(number, str) or not _NUMBER.fullmatch(number) or not prefix:
        raise senseless("phone number")
    return PhoneInfo(pure_number=number, country_code=prefix[1], issued_at=issued_at)


@sensitive_variables("session_key")
def check_session_key(app: WechatApp, *, openid: str, session_key: str) -> bool:
    """Tell whether this very session_key is still the one of this person. Spends nothing."""
    try:
        _ask_with_token(app, _signed(CHECK_SESSION, openid, session_key, repeatable=True))
    except WechatSessionStale:
        return False
    return True


@sensitive_variables("session_key", "answer")
def reset_session_key(app: WechatApp, *, openid: str, session_key: str) -> CodeSession:
    """
    Replace the session_key; the answer has the new one, which ends when the old one would have.

    Raise ``WechatSessionStale`` when ``session_key`` is not the current one, and
    ``WechatRateLimited`` when this person's key is replaced too often.
    """
    answer = _ask_with_token(app, _signed(RESET_SESSION_KEY, openid, session_key))
    if read_openid(answer) != openid:
        raise senseless("openid")
    return CodeSession(openid=openid, unionid=None, session_key=_session_key(answer))


@sensitive_variables("session_key")
def _signed(
    path: str, openid: str, session_key: str, *, repeatable: bool = False
) -> Callable[[AccessToken], Call]:
    """Return what makes the call once the access_token is known. GET, with all in the query."""
    signature = crypto.session_signature(session_key)
    return lambda token: Call(
        path,
        query={
            "access_token": token.value,
            "openid": openid,
            "signature": signature,
            "sig_method": "hmac_sha256",
        },
        repeatable=repeatable,
    )


def _ask_with_token(app: WechatApp, build: Callable[[AccessToken], Call]) -> Answer:
    """Ask with the app's access_token, and once more with a new one if WeChat refuses it."""
    token = access_token.get(app)
    call = build(token)
    try:
        return ask(call)
    except WechatUnavailable as error:
        refused = error.errcode is not None and (
            meaning(call.path, error.errcode).retry is Retry.TOKEN
        )
        if not refused:
            raise
    # A refused token means that nothing was done: a single-use code is still good.
    return ask(build(access_token.renew(app, failed=token)))


def is_code(text: str) -> bool:
    """Tell whether the text can be a code of WeChat's at all."""
    return bool(_CODE.fullmatch(text))


def senseless(what: str) -> WechatError:
    """Return the error for an answer that WeChat's documents do not know, and log it."""
    logger.warning("WeChat answers a senseless %s", what)
    return WechatError(reason=f"WeChat answers a senseless {what}")


def read_openid(answer: Answer) -> str:
    """Return the openid; raise ``WechatError`` unless it is one."""
    openid = answer.get("openid")
    if isinstance(openid, str) and _ID.fullmatch(openid) and openid.lower() not in _NOBODY:
        return openid
    raise senseless("openid")


def read_unionid(answer: Answer) -> str | None:
    """Return the unionid; None while the app is bound to no Open Platform account."""
    unionid = answer.get("unionid")
    if unionid is None or (isinstance(unionid, str) and unionid.lower() in _NOBODY):
        return None
    if isinstance(unionid, str) and _ID.fullmatch(unionid):
        return unionid
    raise senseless("unionid")


def _session_key(answer: Answer) -> str:
    session_key = answer.get("session_key")
    try:
        if len(base64.b64decode(session_key or "", validate=True)) == crypto.BLOCK:
            return str(session_key)
    except (binascii.Error, TypeError, ValueError):
        pass
    raise senseless("session_key")


def _watermark(app: WechatApp, info: Answer) -> datetime:
    """Return when ``info`` was issued, once its watermark is known to be ours and fresh."""
    watermark = _inner(info, "watermark")
    if watermark.get("appid") != app.app_id:
        logger.error("security: %s answers the watermark of another app", PHONE_NUMBER)
        raise WechatDataInvalid(reason="watermark names another app")
    try:
        issued_at = datetime.fromtimestamp(int(watermark.get("timestamp")), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        issued_at = None
    if issued_at is None:
        raise senseless("watermark")
    # Only the past counts: this came from WeChat itself, and clocks differ.
    if time.time() - issued_at.timestamp() > PHONE_AGE:
        raise WechatPhoneCodeInvalid(reason="watermark is too old")
    return issued_at


def _inner(answer: Answer, key: str) -> Answer:
    fields = answer.get(key)
    if isinstance(fields, dict):
        return Answer(fields)
    raise senseless(key)
