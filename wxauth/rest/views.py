"""The view that all JSON routes are, whatever the host project's own DRF settings are."""

from typing import Any, TypeVar

from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from wxauth.devices import Device
from wxauth.rest.language import language_of
from wxauth.rest.parsers import FormParser, JSONParser
from wxauth.rest.throttling import client_address

S = TypeVar("S", bound=BaseSerializer)


class AlwaysJSON(BaseContentNegotiation):
    """JSON whatever ``Accept`` says: mini programs send anything there."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        kind = request.content_type.split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


# Outside ATOMIC_REQUESTS: no transaction may be open while WeChat is asked.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
# Or Django's mails about faults and outages show codes and passwords that came in a form.
@method_decorator(sensitive_post_parameters(), name="dispatch")
class JSONView(APIView):
    """JSON out, in one language, cached nowhere. The doors say what a failure looks like."""

    authentication_classes: Any = []
    permission_classes: Any = [AllowAny]
    parser_classes = [JSONParser, FormParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJSON
    throttle_classes: Any = []
    metadata_class = None
    versioning_class = None
    throttle_group = ""
    http_method_names = ["get", "post", "patch", "head"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        language = self.language(request)
        with translation.override(language):
            response = super().dispatch(request, *args, **kwargs)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ["Accept-Language"])
        add_never_cache_headers(response)
        return response

    def language(self, request: HttpRequest) -> str:
        return language_of(request)

    def read(self, kind: type[S], request: Request) -> S:
        """Return the valid serializer of the request's body, or raise for a 400."""
        serializer = kind(data=request.data)
        serializer.is_valid(raise_exception=True)
        return serializer


def device_of(request: Request | HttpRequest) -> Device:
    """Return what the request tells of where it comes from."""
    agent = request.META.get("HTTP_USER_AGENT", "")
    printable = "".join(filter(str.isprintable, agent))  # and so storable
    return Device(user_agent=printable, ip_address=client_address(request))
