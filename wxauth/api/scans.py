"""The phone's side of a code on a computer's screen."""

from collections.abc import Mapping
from typing import cast

from django.urls import re_path
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import WechatView
from wxauth.api.fields import TextField
from wxauth.authentication import WechatJWTAuthentication
from wxauth.rest.throttling import AddressThrottle, PersonThrottle, subscriber
from wxauth.rest.views import device_of
from wxauth.tokens import AccessToken


class ScanSerializer(serializers.Serializer):
    scan = TextField(max_length=64)


class NewcomerSerializer(ScanSerializer):
    ticket = TextField(max_length=128)


class ScanView(WechatView):
    """For a phone that is signed in, or else has the ticket of one without an account."""

    authentication_classes = [WechatJWTAuthentication]
    throttle_group = "scan"

    def asked(self, request: Request) -> tuple[services.Phone, str]:
        """Return who has scanned, and what; count their requests."""
        token = cast(AccessToken | None, request.auth)
        if token is not None:
            PersonThrottle.check(str(request.user.pk), group=self.throttle_group)
            form = self.read(ScanSerializer, request)
            return token.login_session, form.validated_data["scan"]
        AddressThrottle.check(subscriber(request), group=self.throttle_group)
        data = request.data
        if isinstance(data, Mapping) and "ticket" not in data:
            raise NotAuthenticated
        fields = self.read(NewcomerSerializer, request).validated_data
        return services.Newcomer(fields["ticket"]), fields["scan"]


class LookView(ScanView):
    def post(self, request: Request) -> Response:
        phone, scan = self.asked(request)
        found = services.look_at_scan(phone=phone, scan=scan)
        return Response(
            {
                "browser": found.browser,
                "ip_address": found.ip_address,
                "began_at": found.began_at.isoformat(timespec="seconds"),
                "account": found.account,
            }
        )


class ConfirmView(ScanView):
    def post(self, request: Request) -> Response:
        phone, scan = self.asked(request)
        services.confirm_scan(phone=phone, scan=scan, device=device_of(request))
        return Response(status=204)


class RefuseView(ScanView):
    def post(self, request: Request) -> Response:
        phone, scan = self.asked(request)
        services.refuse_scan(phone=phone, scan=scan)
        return Response(status=204)


urlpatterns = [
    re_path(r"^scan/look/?$", LookView.as_view(), name="scan_look"),
    re_path(r"^scan/confirm/?$", ConfirmView.as_view(), name="scan_confirm"),
    re_path(r"^scan/refuse/?$", RefuseView.as_view(), name="scan_refuse"),
]
