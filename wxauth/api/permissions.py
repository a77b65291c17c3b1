"""Permissions that host projects put on their own views."""

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from wxauth.conf import HostUser
from wxauth.models import PhoneNumber


class HasBoundPhone(IsAuthenticated):
    """The user is signed in and has bound a phone number. One query."""

    message = _("Please bind your phone number first.")
    code = "phone_required"

    def has_permission(self, request: Request, view: APIView) -> bool:
        user: HostUser = request.user
        return (
            super().has_permission(request, view) and PhoneNumber.objects.filter(user=user).exists()
        )
