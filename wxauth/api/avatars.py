"""The route by which a picture from the phone becomes the user's own."""

from typing import Any

from django.urls import re_path
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import SignedInView
from wxauth.api.serializers import me_body
from wxauth.rest.pictures import PictureParser, read_picture
from wxauth.rest.throttling import PersonThrottle


class AvatarView(SignedInView):
    """Takes what ``wx.uploadFile`` sends of the file that ``chooseAvatar`` has given."""

    parser_classes: Any = [PictureParser]
    throttle_classes = [PersonThrottle]
    throttle_group = "avatar"

    def post(self, request: Request) -> Response:
        address = services.store_avatar(user=request.user, content=read_picture(request, "file"))
        # Mini programs show it outside of any page.
        url = request.build_absolute_uri(address)
        services.change_profile(user=request.user, changes={"avatar_url": url})
        return Response(me_body(services.read_me(user=request.user)))


urlpatterns = [re_path(r"^me/avatar/?$", AvatarView.as_view(), name="me_avatar")]
