"""What the views of the native API share, whatever the host project's own settings are."""

from typing import Any, cast

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api import serializers
from wxauth.api.errors import exception_handler
from wxauth.authentication import WechatJWTAuthentication
from wxauth.models import LoginSession
from wxauth.rest.throttling import AddressThrottle, PersonThrottle
from wxauth.rest.views import JSONView
from wxauth.services import SignIn
from wxauth.tokens import AccessToken


class WechatView(JSONView):
    """A route of the native API."""

    def get_exception_handler(self) -> Any:
        return exception_handler


class SignInView(WechatView):
    """A view that ends in tokens for a person whom WeChat confirms."""

    throttle_classes = [AddressThrottle]
    throttle_group = "sign_in"

    def confirm(self, serializer: Any) -> services.ConfirmedPerson:
        """Ask WeChat, or the ticket, who it is, and count that person's requests."""
        person = serializer.confirm()
        PersonThrottle.check(f"{person.app.app_id}:{person.openid}", group=self.throttle_group)
        return person

    def answer(self, result: SignIn) -> Response:
        status = 201 if result.registered else 200
        return Response(serializers.sign_in_body(result), status=status)


class SignedInView(WechatView):
    """A view for people who bring an access token."""

    authentication_classes = [WechatJWTAuthentication]
    permission_classes = [IsAuthenticated]

    def session(self, request: Request) -> LoginSession:
        token = cast(AccessToken, request.auth)
        return token.login_session
