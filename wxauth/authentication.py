"""Bearer tokens of ours on any DRF view, of this package or of the host project."""

from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken

from wxauth.conf import HostUser
from wxauth.exceptions import TokenInvalid
from wxauth.services.sessions import check_token
from wxauth.tokens import AccessToken


class WechatJWTAuthentication(JWTAuthentication):
    """
    ``request.user`` is the user, ``request.auth`` the ``AccessToken`` with its ``login_session``.

    Asks the database once for session and user together, so that a revoked session, a ban and a
    deletion answer 401 with the next request.
    """

    def authenticate(self, request: Request) -> tuple[HostUser, AccessToken] | None:
        header = self.get_header(request)
        raw_token = self.get_raw_token(header) if header else None
        if raw_token is None:
            return None
        token = self.get_validated_token(raw_token)
        return token.login_session.user, token

    def get_header(self, request: Request) -> bytes:
        try:
            return super().get_header(request)
        except UnicodeEncodeError:  # not from a server, which reads headers as Latin-1
            raise InvalidToken() from None

    def get_validated_token(self, raw_token: bytes) -> AccessToken:
        try:
            return check_token(access=raw_token)
        except TokenInvalid:
            raise InvalidToken() from None
