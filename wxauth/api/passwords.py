"""The routes of passwords: signing in with one, setting it, and when it is forgotten."""

from typing import Any

from django.urls import re_path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import SignedInView, SignInView, WechatView
from wxauth.api.fields import TextField
from wxauth.api.linking import answer_phone
from wxauth.api.sms import MAX_PHONE, MAX_SMS_CODE, TicketMixin
from wxauth.rest.throttling import AddressThrottle, PersonThrottle
from wxauth.rest.views import device_of

MAX_PASSWORD = 128  # characters; hashing much longer ones would cost us more than who sends them


class PasswordField(TextField):
    """A password, taken to the letter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_PASSWORD, trim_whitespace=False, **kwargs)


class LoginPasswordSerializer(TicketMixin):
    phone = TextField(max_length=MAX_PHONE)
    password = PasswordField()


class SetPasswordSerializer(serializers.Serializer):
    password = PasswordField()
    sms_code = TextField(required=False, allow_null=True, max_length=MAX_SMS_CODE)


class ResetPasswordSerializer(serializers.Serializer):
    phone = TextField(max_length=MAX_PHONE)
    sms_code = TextField(max_length=MAX_SMS_CODE)
    password = PasswordField()


class LoginPasswordView(SignInView):
    def post(self, request: Request) -> Response:
        form = self.read(LoginPasswordSerializer, request)
        fields = form.validated_data
        phone, password = fields["phone"], fields["password"]
        device = device_of(request)
        if fields.get("ticket"):
            return answer_phone(
                services.attach_by_password_login(
                    person=self.confirm(form),
                    ticket=fields["ticket"],
                    phone=phone,
                    password=password,
                    device=device,
                )
            )
        app = fields.get("app") or None
        return self.answer(
            services.login_by_password(phone=phone, password=password, app=app, device=device)
        )


class SetPasswordView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "password"

    def post(self, request: Request) -> Response:
        session = self.session(request)
        fields = self.read(SetPasswordSerializer, request).validated_data
        services.set_password(
            session=session,
            password=fields["password"],
            sms_code=fields.get("sms_code"),
            device=device_of(request),
        )
        return Response(status=204)


class ResetPasswordView(WechatView):
    throttle_classes = [AddressThrottle]
    throttle_group = "password"

    def post(self, request: Request) -> Response:
        fields = self.read(ResetPasswordSerializer, request).validated_data
        services.reset_password(
            phone=fields["phone"],
            sms_code=fields["sms_code"],
            password=fields["password"],
            device=device_of(request),
        )
        return Response(status=204)


urlpatterns = [
    re_path(r"^login_password/?$", LoginPasswordView.as_view(), name="login_password"),
    re_path(r"^set_password/?$", SetPasswordView.as_view(), name="set_password"),
    re_path(r"^reset_password/?$", ResetPasswordView.as_view(), name="reset_password"),
]
