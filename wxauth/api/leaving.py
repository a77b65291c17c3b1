"""The routes of consent, export and deletion."""

from django.http import StreamingHttpResponse
from django.urls import re_path
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth.api.base import SignedInView
from wxauth.api.fields import FlagField, TextField
from wxauth.models import WechatProfile
from wxauth.rest.throttling import PersonThrottle
from wxauth.rest.views import device_of
from wxauth.services.consent import give_consent, revoke_consent
from wxauth.services.exporting import export
from wxauth.services.freshness import require_fresh
from wxauth.services.leaving import request_deletion


class DeleteAccountSerializer(serializers.Serializer):
    confirm = FlagField()

    def validate_confirm(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError(_("This must be true."))
        return value


class ConsentSerializer(serializers.Serializer):
    """A version to agree to, or ``agreed`` false to take the agreement back."""

    version = TextField(required=False, allow_null=True, max_length=64)
    agreed = FlagField(required=False, default=True)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if bool(attrs.get("version")) != attrs["agreed"]:
            raise serializers.ValidationError(
                _("Send the version that is agreed to, or else agreed as false.")
            )
        return attrs


class ExportView(SignedInView):
    """A POST: it leaves a trace, and no link can start it."""

    throttle_classes = [PersonThrottle]
    throttle_group = "export"

    def post(self, request: Request) -> StreamingHttpResponse:
        session = self.session(request)
        require_fresh(session)
        pieces = export(user=request.user, device=device_of(request), app=session.app)
        return StreamingHttpResponse(
            pieces,
            content_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="export.json"'},
        )


class DeleteAccountView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "delete_account"

    def post(self, request: Request) -> Response:
        self.read(DeleteAccountSerializer, request)
        asked = request_deletion(session=self.session(request), device=device_of(request))
        return Response({"due_at": asked.due_at}, status=202)


class ConsentView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "consent"

    def get(self, request: Request) -> Response:
        return _consent(WechatProfile.objects.of(request.user))

    def post(self, request: Request) -> Response:
        form = self.read(ConsentSerializer, request).validated_data
        user, app, device = request.user, self.session(request).app, device_of(request)
        if form["agreed"]:
            version = form["version"]
            return _consent(give_consent(user=user, version=version, app=app, device=device))
        return _consent(revoke_consent(user=user, app=app, device=device))


def _consent(profile: WechatProfile | None) -> Response:
    version = profile.consent_version if profile else ""
    return Response(
        {"version": version or None, "agreed_at": profile.consent_at if profile else None}
    )


urlpatterns = [
    re_path(r"^consent/?$", ConsentView.as_view(), name="consent"),
    re_path(r"^export/?$", ExportView.as_view(), name="export"),
    re_path(r"^delete_account/?$", DeleteAccountView.as_view(), name="delete_account"),
]
