"""The upload of an avatar."""

from typing import Any

from rest_framework.request import Request

from wxauth import services
from wxauth.apifactory.base import Call, envelope
from wxauth.apifactory.parameters import Parameters
from wxauth.rest.pictures import PictureParser, read_picture
from wxauth.rest.throttling import PersonThrottle


class Upload(Call):
    """``uploadFile`` and V2: a picture, whose address the client then sends as its avatar."""

    parser_classes: Any = [PictureParser]
    http_method_names = ["post"]
    throttle_group = "upload"

    def post(self, request: Request, **kwargs: Any) -> Any:
        call = Parameters(self._form(request), request.query_params)
        session = self.session(call)
        PersonThrottle.check(str(session.user_id), group=self.throttle_group)
        address = services.store_avatar(user=session.user, content=read_picture(request, "upfile"))
        # Clients send it back as an absolute address, and show it outside of any page.
        url = request.build_absolute_uri(address)
        return envelope({"url": url, "name": url.rpartition("/")[2]})
