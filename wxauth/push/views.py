"""WeChat's message push: the question whether the address is ours, and the events."""

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from wxauth.conf import WechatApp, conf
from wxauth.crypto import decrypt_push
from wxauth.exceptions import StoreUnavailable, UnknownApp, WechatDataInvalid
from wxauth.push.messages import MAX_BODY, read_message
from wxauth.services.wechat_events import (
    PushSignature,
    check_push,
    handle_event,
    use_push_once,
)

logger = logging.getLogger("wxauth.push")

MAX_TEXT = 512  # characters of a field in the address
DONE = "success"  # what WeChat waits for, five seconds, three times


@method_decorator(csrf_exempt, name="dispatch")  # WeChat signs, and has no cookie of anybody's
@method_decorator(never_cache, name="dispatch")
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class PushView(View):
    """The address to enter at WeChat as URL(服务器地址), for the app of this alias."""

    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            app = conf.app(kwargs.get("alias"))
        except UnknownApp:
            raise Http404 from None
        try:
            return super().dispatch(request, app, _signature(request))
        except WechatDataInvalid as error:
            logger.warning("a push for app %s is refused: %s", app.alias, error)
            return _answer("refused", status=403)
        except (StoreUnavailable, OperationalError, InterfaceError) as error:
            # WeChat sends it again.
            logger.error("a push for app %s cannot be handled now", app.alias, exc_info=error)
            return _answer("busy", status=503)

    def get(self, request: HttpRequest, app: WechatApp, signature: PushSignature) -> HttpResponse:
        check_push(app, signature)
        return _answer(_field(request, "echostr"))

    def post(self, request: HttpRequest, app: WechatApp, signature: PushSignature) -> HttpResponse:
        body = _read_body(request)
        if body is None:
            return _answer("too large", status=413)
        message = _open(body, app, signature)
        undo = use_push_once(app, signature)
        try:
            handle_event(app=app, message=message)
        except BaseException:
            undo()
            raise
        return _answer(DONE)


def _open(body: bytes, app: WechatApp, signature: PushSignature) -> dict[str, str]:
    if not app.push_aes_key:
        check_push(app, signature)
        return read_message(body)
    # With a key nothing plain is taken: whoever can choose must not choose the weaker.
    encrypted = read_message(body).get("Encrypt")
    if encrypted is None:
        raise WechatDataInvalid(reason="the push is not encrypted, and the app has a key")
    check_push(app, signature, encrypted=encrypted)
    return read_message(decrypt_push(encrypted, aes_key=app.push_aes_key, app_id=app.app_id))


def _signature(request: HttpRequest) -> PushSignature:
    names = ("timestamp", "nonce", "signature", "msg_signature")
    return PushSignature(**{name: _field(request, name) for name in names})


def _field(request: HttpRequest, name: str) -> str:
    values = request.GET.getlist(name)
    if len(values) > 1 or any(len(value) > MAX_TEXT for value in values):
        raise WechatDataInvalid(reason=f"{name} stands twice, or is too long")
    return values[0] if values else ""


def _read_body(request: HttpRequest) -> bytes | None:
    try:
        body = request.read(MAX_BODY + 1)
    except RequestDataTooBig:
        return None
    except UnreadablePostError:
        raise WechatDataInvalid(reason="the push broke off") from None
    return None if len(body) > MAX_BODY else body


def _answer(text: str, *, status: int = 200) -> HttpResponse:
    # As plain text, and not to be taken for anything else: echostr is whatever was sent.
    return HttpResponse(
        text,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"X-Content-Type-Options": "nosniff"},
    )
