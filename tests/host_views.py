"""Views of the host project itself, as its authors would write them."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication

from wxauth.api.permissions import HasBoundPhone
from wxauth.authentication import WechatJWTAuthentication


class OrdersView(APIView):
    """Guarded by us."""

    authentication_classes = [WechatJWTAuthentication]

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk), "sid": request.auth["sid"]})


class DeliveriesView(OrdersView):
    """Guarded by us, for people with a phone number."""

    permission_classes = [HasBoundPhone]


class PlainSimplejwtView(APIView):
    """Guarded by simplejwt's own class, which knows no sessions."""

    authentication_classes = [JWTAuthentication]

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk)})
