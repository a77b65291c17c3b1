"""The routes of text messages: asking for a code, and signing in with it."""

from typing import Any

from django.urls import re_path
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import SignInView, WechatView
from wxauth.api.fields import FlagField, ReferrerField, TextField
from wxauth.api.linking import answer_phone
from wxauth.api.serializers import MAX_CODE, AppMixin
from wxauth.exceptions import UnknownApp
from wxauth.models import SmsCode
from wxauth.rest.throttling import AddressThrottle
from wxauth.rest.views import device_of
from wxauth.services import ConfirmedPerson, confirm_ticket
from wxauth.services.sms import GAP, LIFETIME

MAX_PHONE = 32  # characters, as people type it
MAX_SMS_CODE = 16
PURPOSES = set(SmsCode.Purpose.values) - {SmsCode.Purpose.ANY}


class PurposeField(TextField):
    """For what a code is asked."""

    default_error_messages = {"invalid_choice": _("Not a valid choice.")}

    def to_internal_value(self, data: Any) -> str:
        purpose = super().to_internal_value(data)
        if purpose not in PURPOSES:
            self.fail("invalid_choice")
        return purpose


class SmsCodeSerializer(AppMixin):
    phone = TextField(max_length=MAX_PHONE)
    purpose = PurposeField(max_length=20)


class TicketMixin(AppMixin):
    """A ticket of ``not_registered``, if the person wants their WeChat identity attached."""

    ticket = TextField(required=False, allow_null=True, max_length=MAX_CODE)

    def confirm(self) -> ConfirmedPerson:
        fields = self.validated_data
        person = confirm_ticket(ticket=fields["ticket"])
        if fields.get("app") not in (None, "", person.app.alias):
            raise UnknownApp(reason="the ticket is of another app")
        return person


class LoginSmsSerializer(TicketMixin):
    phone = TextField(max_length=MAX_PHONE)
    sms_code = TextField(max_length=MAX_SMS_CODE)
    register = FlagField(required=False, allow_null=True, default=False)
    referrer = ReferrerField(required=False)
    scene = ReferrerField(required=False)


class SmsCodeView(WechatView):
    throttle_classes = [AddressThrottle]
    throttle_group = "sms_code"

    def post(self, request: Request) -> Response:
        fields = self.read(SmsCodeSerializer, request).validated_data
        services.send_sms_code(
            phone=fields["phone"],
            purpose=fields["purpose"],
            app=fields.get("app") or None,
            device=device_of(request),
        )
        seconds = {"expires_in": LIFETIME, "resend_in": GAP}
        return Response({name: int(time.total_seconds()) for name, time in seconds.items()})


class LoginSmsView(SignInView):
    def post(self, request: Request) -> Response:
        form = self.read(LoginSmsSerializer, request)
        fields = form.validated_data
        proof = {
            "phone": fields["phone"],
            "sms_code": fields["sms_code"],
            "device": device_of(request),
        }
        origin = {"referrer": fields.get("referrer"), "scene": fields.get("scene")}
        if fields.get("ticket"):
            person = self.confirm(form)
            ticket = fields["ticket"]
            return answer_phone(
                services.attach_by_sms(person=person, ticket=ticket, **origin, **proof)
            )
        app = fields.get("app") or None
        if fields["register"]:
            return self.answer(services.authorize_by_sms(app=app, **origin, **proof))
        return self.answer(services.login_by_sms(app=app, **proof))


urlpatterns = [
    re_path(r"^sms_code/?$", SmsCodeView.as_view(), name="sms_code"),
    re_path(r"^login_sms/?$", LoginSmsView.as_view(), name="login_sms"),
]
