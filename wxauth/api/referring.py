"""The routes of people who invite others, and of what happened to one's own account."""

from typing import Any

from django.urls import re_path
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import SignedInView
from wxauth.api.paging import PageSerializer, cursor_text
from wxauth.models import AuditEvent
from wxauth.rest.throttling import PersonThrottle
from wxauth.services import Friend, Referrals


class PagedView(SignedInView):
    """A list of the signed-in user's, page by page."""

    throttle_classes = [PersonThrottle]

    def page(self, request: Request) -> dict[str, Any]:
        form = PageSerializer(data=request.query_params.dict())
        form.is_valid(raise_exception=True)
        return form.page()


class ReferralsView(PagedView):
    throttle_group = "referrals"

    def get(self, request: Request) -> Response:
        page = self.page(request)
        return Response(referrals_body(services.read_referrals(user=request.user, **page)))


class InviteCodeView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "invite_code"

    def get(self, request: Request) -> Response:
        return Response({"invite_code": services.read_invite_code(user=request.user)})


class AuditView(PagedView):
    throttle_group = "audit"

    def get(self, request: Request) -> Response:
        found = services.read_activity(user=request.user, **self.page(request))
        return Response(
            {"events": list(map(event_body, found.rows)), "next": cursor_text(found.next)}
        )


def referrals_body(referrals: Referrals) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if referrals.levels is not None:
        body["inviter"] = friend_body(referrals.inviter) if referrals.inviter else None
        body["levels"] = referrals.levels
    body["invited"] = list(map(friend_body, referrals.invited.rows))
    body["next"] = cursor_text(referrals.invited.next)
    return body


def friend_body(friend: Friend) -> dict[str, Any]:
    return {"nickname": friend.nickname, "avatar_url": friend.avatar_url, "at": friend.at}


def event_body(event: AuditEvent) -> dict[str, Any]:
    """Facts stay with the staff: they may be about somebody else. So does another's device."""
    is_own = event.actor_key == event.user_key
    return {
        "kind": event.kind,
        "at": event.at,
        "app": event.app or None,
        "by_other": not is_own,
        "device": event.user_agent if is_own else "",
        "ip_address": event.ip_address if is_own else None,
    }


urlpatterns = [
    re_path(r"^referrals/?$", ReferralsView.as_view(), name="referrals"),
    re_path(r"^invite_code/?$", InviteCodeView.as_view(), name="invite_code"),
    re_path(r"^audit/?$", AuditView.as_view(), name="audit"),
]
