"""The calls about nobody: the shop's configuration, and pictures with codes."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.urls import is_valid_path
from rest_framework.request import Request

from wxauth import services
from wxauth.apifactory.base import Call, CheapCall
from wxauth.apifactory.parameters import Parameters
from wxauth.conf import conf
from wxauth.exceptions import NotFound

# Two parts and no slash at the end: so the package writes paths, and pages rarely.
ELSEWHERE = r"^(?P<sub>[^/]+)/.*[^/]$"


class ConfigValues(CheapCall):
    """``queryConfigBatch``: those of the keys that there are."""

    def answer(self, call: Parameters) -> Any:
        values = conf.apifactory_config
        keys = (call.text("keys") or "").split(",")
        return [{"key": key, "value": values[key]} for key in keys if key in values]


class ConfigValue(CheapCall):
    """``queryConfigValue``: the value of one key; 700 when there is none."""

    def answer(self, call: Parameters) -> Any:
        key = call.required("key")
        if key not in conf.apifactory_config:
            raise NotFound(reason="no such key")
        return conf.apifactory_config[key]


class Picture(Call):
    """``graphValidateCodeUrl``: the address of an image, so the answer is one."""

    throttle_group = "picture"

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        key = Parameters(request.query_params).required("key")
        return HttpResponse(services.draw_picture(key=key), content_type="image/png")


class CheckPicture(Call):
    """``graphValidateCodeCheck``."""

    throttle_group = "picture"

    def answer(self, call: Parameters) -> Any:
        services.check_picture(key=call.required("key"), typed=call.required("code"))


class UnknownCall(CheapCall):
    """Whatever else is asked for under one of the folders of the contract."""

    def answer(self, call: Parameters) -> Any:
        raise NotFound(reason="no such call")


class Elsewhere(UnknownCall):
    """
    A path outside of those folders, such as a call of the shop that nobody has written yet.

    Under a prefix of ours that is a call like any other. At the root of a site it may be a page
    that is not there, and only a request that looks like the package's gets its envelope.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        match = request.resolver_match
        is_at_root = match is not None and match.route.startswith(ELSEWHERE)
        if is_at_root and not looks_like_a_call(request):
            return leave_to_the_site(request)
        return super().dispatch(request, *args, **kwargs)


def looks_like_a_call(request: HttpRequest) -> bool:
    """Tell whether the package, which says "form" on a GET too, or a mini program sends this."""
    is_form = request.content_type == "application/x-www-form-urlencoded"
    return is_form or "//servicewechat.com/" in request.META.get("HTTP_REFERER", "")


def leave_to_the_site(request: HttpRequest) -> HttpResponseBase:
    """Do what the site would do without us: add a slash where one is missing, or 404."""
    reads = request.method in {"GET", "HEAD"}
    if reads and conf.append_slash and is_valid_path(f"{request.path_info}/"):
        return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
    raise Http404
