"""What all calls share: how parameters travel, who asks, and the envelope around every answer."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.apifactory.codes import DONE, INTERNAL, number_of
from wxauth.apifactory.parameters import Parameters
from wxauth.conf import AppKind, WechatApp, conf
from wxauth.devices import Device
from wxauth.exceptions import TokenInvalid, UnknownApp, WxauthError
from wxauth.models import LoginSession
from wxauth.rest.failures import read_failure
from wxauth.rest.throttling import AddressThrottle, PersonThrottle
from wxauth.rest.views import JSONView, device_of

logger = logging.getLogger("wxauth.apifactory")

LANGUAGE = "zh-hans"  # apps show ``msg`` as it is, and are written for readers of Chinese
SUCCESS = "success"


class Call(JSONView):
    """
    One call: ``answer`` returns what becomes ``data``, and raises for any other ``code``.

    Clients see neither the HTTP status nor a body that is no JSON, so everything is a 200 with
    ``{"code", "msg", "data"}``.
    """

    throttle_classes: Any = [AddressThrottle]
    throttle_group = "apifactory"
    http_method_names = ["get", "post"]

    def answer(self, call: Parameters) -> Any:
        raise NotImplementedError

    def get(self, request: Request, **kwargs: Any) -> Response:
        call = Parameters(request.query_params, self._form(request))
        return envelope(self.answer(call))

    def post(self, request: Request, **kwargs: Any) -> Response:
        call = Parameters(self._form(request), request.query_params)
        return envelope(self.answer(call))

    def language(self, request: HttpRequest) -> str:
        return LANGUAGE

    def get_exception_handler(self) -> Any:
        return fail

    # Who asks

    @property
    def app(self) -> WechatApp:
        """The mini program of the sub domain in the address. Raise ``UnknownApp``."""
        alias = conf.apifactory_apps.get(self.kwargs.get("sub", ""))
        return conf.app(alias, kind=AppKind.MINI_PROGRAM)

    @cached_property
    def device(self) -> Device:
        found = device_of(self.request)
        return Device(
            user_agent=found.user_agent,
            ip_address=found.ip_address,
            session_lifetime=conf.apifactory_token_lifetime,
        )

    def session(self, call: Parameters) -> LoginSession:
        """Return the session of the call's token. One query. Raise ``TokenInvalid``."""
        token = call.text("token")
        if token is None:
            raise TokenInvalid(reason="no token was sent")
        return services.check_token(access=token).login_session

    def confirm(self, call: Parameters, app: WechatApp | None = None) -> services.ConfirmedPerson:
        """Spend the call's login code, and count the requests of the person it is of."""
        code = call.required("code")
        person = services.confirm_code(login_code=code, app=(app or self.app).alias)
        count_person(person, group=self.throttle_group)
        return person

    @staticmethod
    def _form(request: Request) -> Mapping[str, Any]:
        data = request.data
        return data if isinstance(data, Mapping) else {}


class CheapCall(Call):
    """A call that every page makes: not limited, since that would cost more than the answer."""

    throttle_classes: Any = []


def count_person(person: services.ConfirmedPerson, *, group: str) -> None:
    """Count a request of this person; raise ``Throttled`` when it is one too many."""
    PersonThrottle.check(f"{person.app.app_id}:{person.openid}", group=group)


def app_by_id(app_id: str | None, default: WechatApp) -> WechatApp:
    """Return the mini program with this app id, as some calls name it. Raise ``UnknownApp``."""
    if app_id is None:
        return default
    for app in conf.apps.values():
        if app.app_id == app_id and app.kind is AppKind.MINI_PROGRAM:
            return app
    raise UnknownApp(reason="no mini program with this app id")


def envelope(data: Any = None, *, code: int = DONE, msg: str = SUCCESS) -> Response:
    """Return the answer as these clients read it; without ``data`` when there is none."""
    body = {"code": code, "msg": msg}
    return Response(body if data is None else {**body, "data": data})


def fail(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the envelope of a failure, of whatever kind."""
    if isinstance(exc, SuspiciousOperation):
        logger.warning("refused: %s", type(exc).__name__)
    failure = read_failure(exc)
    if failure is None:
        logger.error("a call failed", exc_info=exc)
        return envelope(code=INTERNAL, msg=gettext(WxauthError.detail))
    return envelope(code=number_of(failure.code), msg=_sentence(failure.detail, failure.facts))


def _sentence(detail: str, facts: Mapping[str, Any]) -> str:
    # What a password lacks is the only field that people can mend; ``msg`` is all they see.
    fields = facts.get("fields", {})
    reasons = fields.get("password", []) if isinstance(fields, Mapping) else []
    return " ".join([gettext(detail), *map(str, reasons)])
