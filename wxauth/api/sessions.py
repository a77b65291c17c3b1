"""The routes of one's own sign-ins, and of WeChat's own session behind this one."""

from typing import Any
from uuid import UUID

from django.urls import re_path
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import SignedInView
from wxauth.api.fields import TextField
from wxauth.api.linking import NothingSerializer
from wxauth.models import LoginSession
from wxauth.rest.throttling import PersonThrottle


class SessionIdField(TextField):
    """The id of a session, as the list tells it. DRF's own also takes numbers."""

    default_error_messages = {"invalid_id": _("Not a valid id.")}

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)
        try:
            sid = UUID(text)
        except ValueError:
            sid = None
        if sid is None or str(sid) != text.lower():  # it also takes urn:uuid: and braces
            self.fail("invalid_id")
        return sid


class EndSessionSerializer(serializers.Serializer):
    id = SessionIdField(max_length=36)


class SessionsView(SignedInView):
    """Two SQL statements, and nothing is written to know when a device was last seen."""

    def get(self, request: Request) -> Response:
        current = self.session(request)
        found = services.list_sessions(user=request.user)
        if current not in found:  # the oldest of very many
            found.append(current)
        return Response({"sessions": [session_body(each, current=current) for each in found]})


class EndSessionView(SignedInView):
    def post(self, request: Request) -> Response:
        form = self.read(EndSessionSerializer, request)
        services.end_session(user=request.user, sid=form.validated_data["id"])
        return Response(status=204)


class EndOtherSessionsView(SignedInView):
    def post(self, request: Request) -> Response:
        self.read(NothingSerializer, request)
        return Response({"ended": services.end_other_sessions(session=self.session(request))})


class CheckSessionView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "wechat_session"

    def post(self, request: Request) -> Response:
        self.read(NothingSerializer, request)
        return Response(
            wechat_session_body(valid=services.check_wechat_session(session=self.session(request)))
        )


class ResetSessionView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "wechat_session"

    def post(self, request: Request) -> Response:
        self.read(NothingSerializer, request)
        services.reset_wechat_session(session=self.session(request))
        return Response(wechat_session_body(valid=True))


def session_body(session: LoginSession, *, current: LoginSession) -> dict[str, Any]:
    return {
        "id": str(session.id),
        "app": session.app,
        "user_agent": session.user_agent,
        "ip_address": session.ip_address,
        "created_at": session.created_at,
        # Each refresh is a write already: so fresh to an access token's lifetime, for nothing.
        "last_seen_at": session.rotated_at,
        "current": session == current,
    }


def wechat_session_body(*, valid: bool) -> dict[str, Any]:
    return {"valid": valid, "action": None if valid else "login_again"}


urlpatterns = [
    re_path(r"^sessions/?$", SessionsView.as_view(), name="sessions"),
    re_path(r"^sessions/end/?$", EndSessionView.as_view(), name="sessions/end"),
    re_path(r"^sessions/end_others/?$", EndOtherSessionsView.as_view(), name="sessions/end_others"),
    re_path(r"^check_session/?$", CheckSessionView.as_view(), name="check_session"),
    re_path(r"^reset_session/?$", ResetSessionView.as_view(), name="reset_session"),
]
