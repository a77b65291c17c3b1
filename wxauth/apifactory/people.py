"""The calls about the person who is signed in, by the token among their parameters."""

import logging
from typing import Any

from django.utils import timezone

from wxauth import services
from wxauth.apifactory.base import Call, CheapCall
from wxauth.apifactory.numbers import show_number
from wxauth.apifactory.parameters import Parameters
from wxauth.apifactory.sign_in import open_data
from wxauth.conf import conf
from wxauth.exceptions import InvalidInput, ReferrerUnknown
from wxauth.models import LoginSession, PhoneNumber
from wxauth.rest.throttling import PersonThrottle
from wxauth.services import Me
from wxauth.signals import seller_claimed

logger = logging.getLogger("wxauth.apifactory")

NICKNAME_LENGTH = 128
# What a profile here has no column for, and these clients send and show.
FURTHER = {"province": 64, "city": 64, "birthday": 32}


class CheckToken(CheapCall):
    """``checkToken``: one SQL statement and no cache, since every page asks."""

    def answer(self, call: Parameters) -> Any:
        self.session(call)


class LogOut(CheapCall):
    """``loginout``: this token dies at once, others of the user live on."""

    def answer(self, call: Parameters) -> Any:
        services.logout(session=self.session(call))


class Detail(CheapCall):
    """``userDetail``: the profile, who invited, and what the project adds."""

    def answer(self, call: Parameters) -> Any:
        session = self.session(call)
        me = services.read_me(user=session.user)
        blocks: dict[str, Any] = {
            "base": base_of(me, session),
            "ext": {k: v for k, v in me.profile.ext.items() if k not in FURTHER},
        }
        if me.referral is not None and me.referral.referrer_id is not None:
            inviter = services.read_inviter(user=session.user)
            if inviter is not None:
                blocks["referrer"] = {
                    "id": services.uid_of(user=inviter.user),
                    "nick": inviter.nickname,
                    "avatarUrl": inviter.avatar_url,
                }
        return {**blocks, **added_blocks(session.user)}


class WechatInfo(CheapCall):
    """``userWxinfo``: who the person is to WeChat, in the mini program of this token."""

    def answer(self, call: Parameters) -> Any:
        session = self.session(call)
        identity = services.identity_of(session=session)
        if identity is None:
            return {"openid": "", "unionid": "", "uid": services.uid_of(user=session.user)}
        return {
            "openid": identity.openid,
            "unionid": identity.unionid or "",
            "uid": services.uid_of(user=session.user),
        }


class Modify(Call):
    """``modifyUserInfo`` and V2: only what is sent changes."""

    def answer(self, call: Parameters) -> Any:
        user = self.session(call).user
        changes: dict[str, Any] = {}
        if (nick := call.text("nick")) is not None:
            changes["nickname"] = services.clean_nickname(nick)
        if (avatar_url := call.text("avatarUrl")) is not None:
            changes["avatar_url"] = services.clean_avatar_url(avatar_url)
            if not changes["avatar_url"]:
                raise InvalidInput(reason="avatarUrl is no address")
        if (gender := call.text("gender")) is not None:
            if gender not in {"0", "1", "2"}:
                raise InvalidInput(reason="gender is none of 0, 1, 2")
            changes["gender"] = int(gender)
        more = dict(call.object("extJsonStr") or {})
        for name, length in FURTHER.items():
            if (text := call.text(name)) is not None:
                more[name] = text[:length]
        if changes or more:
            services.change_profile(user=user, changes=changes, more=more)


class Delete(Call):
    """``userDelete``: the account goes, and all its tokens with it."""

    def answer(self, call: Parameters) -> Any:
        services.delete_now(session=self.session(call), device=self.device)


class CheckReferrer(Call):
    """``checkReferrer``: 700 unless somebody has this uid or invite code."""

    def answer(self, call: Parameters) -> Any:
        if services.find_referrer(call.required("referrer")) is None:
            raise ReferrerUnknown()


class BindSeller(Call):
    """``bindSeller``: for the project to act on, by a signal; nothing changes here."""

    def answer(self, call: Parameters) -> Any:
        session = self.session(call)
        seller = services.find_referrer(call.text("uid"))
        if seller is not None and seller.pk != session.user_id:
            seller_claimed.send_robust(type(session.user), user=session.user, seller=seller)


class BindPhone(Call):
    """``bindMobileWxa``, and with a code ``bindMobileWxapp``: the number is in encryptedData."""

    def answer(self, call: Parameters) -> Any:
        session = self.session(call)
        PersonThrottle.check(str(session.user_id), group="bind_phone")
        phone = self.bind(call, session)
        password = call.text("pwd")
        if password is not None:
            services.set_password(session=session, password=password, device=self.device)
        return show_number(phone.number)

    def bind(self, call: Parameters, session: LoginSession) -> PhoneNumber:
        return services.bind_phone_by_data(
            session=session,
            data=open_data(call),
            login_code=call.text("code"),
            device=self.device,
        )


class BindPhoneByCode(BindPhone):
    """``bindMobileWxappV2``: ``code`` is the phone button's."""

    def bind(self, call: Parameters, session: LoginSession) -> PhoneNumber:
        return services.bind_phone_by_code(
            session=session, phone_code=call.required("code"), device=self.device
        )


class BindPhoneBySms(BindPhone):
    """``bindMobileSms``: a text message was sent to the number."""

    def bind(self, call: Parameters, session: LoginSession) -> PhoneNumber:
        return services.bind_phone_by_sms(
            session=session,
            phone=call.required("mobile"),
            sms_code=call.required("code"),
            purpose=services.ANY_PURPOSE,
            device=self.device,
        )


def base_of(me: Me, session: LoginSession) -> dict[str, Any]:
    """Return the block that every page reads; it is an object whatever is missing."""
    profile = me.profile
    return {
        "id": services.uid_of(user=me.user),
        "nick": profile.nickname,
        "avatarUrl": profile.avatar_url,
        "mobile": show_number(me.phone.number) if me.phone else "",
        "gender": profile.gender,
        **{name: profile.ext.get(name, "") for name in FURTHER},
        "dateAdd": show_time(profile.created_at) if profile.pk else "",
        "dateLogin": show_time(session.created_at),
        "status": 0,
    }


def added_blocks(user: Any) -> dict[str, Any]:
    """Return the project's own blocks; a fault in them leaves the others standing."""
    add = conf.apifactory_user_detail
    if add is None:
        return {}
    try:
        return dict(add(user=user))
    except Exception as error:  # any: the function is the project's
        logger.error("WXAUTH_APIFACTORY_USER_DETAIL failed", exc_info=error)
        return {}


def show_time(moment: Any) -> str:
    """Return ``2026-11-21 09:30:00`` in the project's time zone."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")
