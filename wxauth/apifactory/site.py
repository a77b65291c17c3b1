"""The calls about nobody: the shop's configuration, and pictures with codes."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from wxauth import services
from wxauth.apifactory.base import Call, CheapCall
from wxauth.apifactory.parameters import Parameters
from wxauth.conf import conf
from wxauth.exceptions import NotFound


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
