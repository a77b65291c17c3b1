"""The phone's side of a sign-in on a computer."""

from django.urls import re_path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import SignedInView
from wxauth.api.fields import TextField
from wxauth.rest.throttling import PersonThrottle


class ScanSerializer(serializers.Serializer):
    scan = TextField(max_length=64)


class ScanView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "scan"

    def scan(self, request: Request) -> str:
        text: str = self.read(ScanSerializer, request).validated_data["scan"]
        return text


class LookView(ScanView):
    def post(self, request: Request) -> Response:
        asked = services.look_at_scan(session=self.session(request), scan=self.scan(request))
        return Response(
            {
                "browser": asked.browser,
                "ip_address": asked.ip_address,
                "began_at": asked.began_at.isoformat(timespec="seconds"),
            }
        )


class ConfirmView(ScanView):
    def post(self, request: Request) -> Response:
        services.confirm_scan(session=self.session(request), scan=self.scan(request))
        return Response(status=204)


class RefuseView(ScanView):
    def post(self, request: Request) -> Response:
        services.refuse_scan(session=self.session(request), scan=self.scan(request))
        return Response(status=204)


urlpatterns = [
    re_path(r"^scan/look/?$", LookView.as_view(), name="scan_look"),
    re_path(r"^scan/confirm/?$", ConfirmView.as_view(), name="scan_confirm"),
    re_path(r"^scan/refuse/?$", RefuseView.as_view(), name="scan_refuse"),
]
