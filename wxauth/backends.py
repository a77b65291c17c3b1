"""The gate: who may come in. Every path to a user goes through it."""

import logging

from asgiref.sync import sync_to_async
from django.contrib.auth import get_backends
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from wxauth import departures, identities, transactions
from wxauth.conf import AppKind, HostUser, conf
from wxauth.exceptions import UserInactive, WechatCodeInvalid, WechatUserBlocked
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, PhoneNumber
from wxauth.wechat import client

logger = logging.getLogger("wxauth.backends")


class WechatBackend(ModelBackend):
    """
    ``authenticate(request, wechat_code=…, app=…)`` for plain Django, and
    ``authenticate(request, wxauth_phone="+86…", password=…)``.

    Returns the user of a person who has an account; None for anybody else, for a code that WeChat
    refuses, for a wrong password, and for an account that is switched off. Nobody is registered
    here: that is what ``wxauth.services`` is for. Raises ``WechatError`` when WeChat could not be
    asked. Attempts at passwords are counted in ``login_by_password``, not here.

    Both stand in one class so that a project bans in one place. The number is not called
    ``phone``: ``ModelBackend`` would take that for the username of a model that has such a field.

    A project that bans people by other means than ``is_active`` overrides
    ``user_can_authenticate`` in a subclass and puts that into ``AUTHENTICATION_BACKENDS``; one
    in which people also sign in by e-mail or the like overrides ``has_other_way_in``.
    """

    def has_other_way_in(self, user: HostUser) -> bool:
        """Tell whether the user could sign in by something that wxauth does not know. Here: no."""
        return False

    def authenticate(  # type: ignore[override]  # each backend names its own credentials
        self,
        request: HttpRequest | None,
        wechat_code: str | None = None,
        app: str | None = None,
        wxauth_phone: str | None = None,
        password: str | None = None,
    ) -> HostUser | None:
        if isinstance(wxauth_phone, str) and isinstance(password, str):
            return self._check_password(wxauth_phone, password)
        if not isinstance(wechat_code, str) or not wechat_code:
            return None
        try:
            person = confirm(login_code=wechat_code, app=app)
        except (WechatCodeInvalid, WechatUserBlocked) as error:
            logger.info("authenticate: %s", error)
            return None
        return transactions.run(lambda: self._sign_in(person))

    async def aauthenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        wechat_code: str | None = None,
        app: str | None = None,
        wxauth_phone: str | None = None,
        password: str | None = None,
    ) -> HostUser | None:
        return await sync_to_async(self.authenticate)(
            request,
            wechat_code=wechat_code,
            app=app,
            wxauth_phone=wxauth_phone,
            password=password,
        )

    @sensitive_variables("password")
    def _check_password(self, number: str, password: str) -> HostUser | None:
        # Exactly one run of the hasher on every path: unknown number, no usable password (Django
        # itself runs it then), wrong password, banned user.
        phone = PhoneNumber.objects.filter(number=number).select_related("user").first()
        if phone is None:
            make_password(password)
            return None
        right = phone.user.check_password(password)
        return phone.user if right and self.user_can_authenticate(phone.user) else None

    def _sign_in(self, person: ConfirmedPerson) -> HostUser | None:
        match = identities.find(person)
        if match is None:
            return None
        now = timezone.now()
        if not self.user_can_authenticate(match.user):
            AuditEvent.objects.record_once(
                AuditEvent.Kind.SIGN_IN_REFUSED,
                user=match.user,
                now=now,
                app=person.app.alias,
                facts={"reason": UserInactive.code},
            )
            return None
        identities.settle(match, person, now=now)
        departures.cancel_on_return(match.user, app=person.app.alias)
        return match.user


def confirm(*, login_code: str, app: str | None) -> ConfirmedPerson:
    """Spend a login code at WeChat. ``app`` is an alias; None is the default mini program."""
    wechat_app = conf.app(app, kind=AppKind.MINI_PROGRAM)
    session = client.code_to_session(wechat_app, login_code=login_code)
    return ConfirmedPerson(
        app=wechat_app,
        openid=session.openid,
        unionid=session.unionid,
        session_key=session.session_key,
    )


def dotted_path() -> str:
    """Return the project's backend of this kind, as Django's sessions name it; or this one."""
    kind = type(_of_project())
    return f"{kind.__module__}.{kind.__qualname__}"


def may_enter(user: HostUser) -> bool:
    """Tell whether the project's backend lets this user in."""
    return _of_project().user_can_authenticate(user)


def has_other_way_in(user: HostUser) -> bool:
    """Tell whether the project's backend knows of a way in that is none of ours."""
    return _of_project().has_other_way_in(user)


def _of_project() -> WechatBackend:
    for backend in get_backends():
        if isinstance(backend, WechatBackend):
            return backend
    return WechatBackend()


def check_entry(user: HostUser) -> None:
    """Raise ``UserInactive`` unless the project's backend lets this user in."""
    if not may_enter(user):
        raise UserInactive(reason=f"user {user.pk} is not allowed to authenticate", user=user)
