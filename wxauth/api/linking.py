"""The routes of phone sign-in, and of what is linked to an account and taken off it again."""

from typing import Any

from django.urls import re_path
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils import html

from wxauth import services
from wxauth.api.base import SignedInView, SignInView
from wxauth.api.fields import TextField
from wxauth.api.serializers import (
    MAX_CODE,
    MAX_DATA,
    AppMixin,
    CodeSerializer,
    OpenDataMixin,
    RegisterSerializer,
    sign_in_body,
)
from wxauth.rest.throttling import PersonThrottle
from wxauth.rest.views import device_of
from wxauth.services import Linked, OpenData, PhoneCode, PhoneSignIn
from wxauth.services.phones import check_data_is_taken

MAX_KEY = 2**63 - 1


class KeyField(serializers.Field):
    """The number of a row, as ``me`` tells it: a JSON integer, or its digits in a form."""

    default_error_messages = {"invalid": _("Not a valid id.")}

    def to_internal_value(self, data: Any) -> int:
        if html.is_html_input(self.root.initial_data) and isinstance(data, str):
            # Digits only, and few: int() takes "1_0", other scripts' digits, and spaces.
            data = int(data) if data.isascii() and data.isdigit() and len(data) < 20 else None
        if type(data) is not int or not 0 < data <= MAX_KEY:
            self.fail("invalid")
        return data


class NothingSerializer(serializers.Serializer):
    """An object, whatever it holds."""


class PhoneLoginSerializer(OpenDataMixin, RegisterSerializer):
    """Who it is, by code or ticket, and the number, by ``phone_code`` or ``encryptedData``."""

    phone_code = TextField(required=False, allow_null=True, max_length=MAX_CODE)
    encryptedData = TextField(required=False, allow_null=True, max_length=MAX_DATA)
    iv = TextField(required=False, allow_null=True, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        proofs = {
            name for name in ("phone_code", "encryptedData", "iv") if attrs.get(name) is not None
        }
        if proofs not in ({"phone_code"}, {"encryptedData", "iv"}):
            raise serializers.ValidationError(_("Send either phone_code, or encryptedData and iv."))
        return super().validate(attrs)

    def proof(self) -> PhoneCode | OpenData:
        phone_code = self.validated_data.get("phone_code")
        if phone_code is not None:
            return PhoneCode(phone_code)
        check_data_is_taken()
        return self.open_data()


class UnbindWechatSerializer(AppMixin):
    """Which identity: by the alias of its app, or by its id in ``me``."""

    identity = KeyField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("app")) == (attrs.get("identity") is not None):
            raise serializers.ValidationError(_("Send either app or identity."))
        return attrs


class PhoneLoginView(SignInView):
    def post(self, request: Request) -> Response:
        form = self.read(PhoneLoginSerializer, request)
        proof = form.proof()  # first: what cannot be a proof must not cost the login code
        person = self.confirm(form)
        result = services.phone_login(
            person=person,
            proof=proof,
            ticket=form.validated_data.get("ticket"),
            referrer=form.validated_data.get("referrer"),
            scene=form.validated_data.get("scene"),
            device=device_of(request),
        )
        return answer_phone(result)


class UnbindPhoneView(SignedInView):
    def post(self, request: Request) -> Response:
        self.read(NothingSerializer, request)
        services.unbind_phone(session=self.session(request), device=device_of(request))
        return Response(status=204)


class BindWechatView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "bind_wechat"

    def post(self, request: Request) -> Response:
        form = self.read(CodeSerializer, request)
        linked = services.bind_wechat(
            session=self.session(request),
            login_code=form.validated_data["code"],
            app=form.validated_data.get("app") or None,
            device=device_of(request),
        )
        return Response(linked_body(linked), status=201 if linked.is_new else 200)


class UnbindWechatView(SignedInView):
    def post(self, request: Request) -> Response:
        form = self.read(UnbindWechatSerializer, request)
        signed_out = services.unbind_wechat(
            session=self.session(request),
            app=form.validated_data.get("app") or None,
            identity_id=form.validated_data.get("identity"),
            device=device_of(request),
        )
        return Response({"signed_out": signed_out})


def answer_phone(result: PhoneSignIn) -> Response:
    """Return the answer to a sign-in by WeChat and a phone number together."""
    body = sign_in_body(result.sign_in)
    if result.phone_conflict:
        body["phone_conflict"] = True
    if result.linked:
        body["linked"] = True
    return Response(body, status=201 if result.sign_in.registered else 200)


def linked_body(linked: Linked) -> dict[str, Any]:
    body: dict[str, Any] = {"identity": linked.identity.pk}
    if linked.identity.union_conflict_at is not None:
        body["union_conflict"] = True
    return body


urlpatterns = [
    re_path(r"^phone_login/?$", PhoneLoginView.as_view(), name="phone_login"),
    re_path(r"^unbind_phone/?$", UnbindPhoneView.as_view(), name="unbind_phone"),
    re_path(r"^bind_wechat/?$", BindWechatView.as_view(), name="bind_wechat"),
    re_path(r"^unbind_wechat/?$", UnbindWechatView.as_view(), name="unbind_wechat"),
]
