"""The ``/_sim/`` routes of the web: pages, grants, followers, pictures."""

from typing import Any

from wxauth.simulator.controls import Controls
from wxauth.simulator.phone_routing import PERSON, Params, PhoneRoute, read_flag


def _oauth(controls: Controls, params: Params) -> dict[str, Any]:
    is_snapshot = read_flag(params, "snapshot") if "snapshot" in params else False
    scope = params.get("scope")
    user, app_id = params["user"], params["appid"]
    return {"code": controls.oauth_code(user, app_id, scope=scope, is_snapshot=is_snapshot)}


def _approve_as(controls: Controls, params: Params) -> dict[str, Any]:
    controls.approve_as(params.get("user") or None)
    return {}


def _change_password(controls: Controls, params: Params) -> dict[str, Any]:
    controls.change_password(params["user"])
    return {}


def _desktop(controls: Controls, params: Params) -> dict[str, Any]:
    controls.sign_in_desktop(params.get("user") or None)
    return {}


def _change_avatar(controls: Controls, params: Params) -> dict[str, Any]:
    controls.change_avatar(params["user"])
    return {}


def _subscribe(controls: Controls, params: Params) -> dict[str, Any]:
    is_subscribed = read_flag(params, "subscribed") if "subscribed" in params else True
    controls.subscribe(params["user"], params["appid"], is_subscribed=is_subscribed)
    return {}


ROUTES = {
    "oauth": PhoneRoute(_oauth, PERSON, ("scope", "snapshot")),
    "approve_as": PhoneRoute(_approve_as, (), ("user",)),
    "desktop": PhoneRoute(_desktop, (), ("user",)),
    "change_password": PhoneRoute(_change_password, ("user",)),
    "change_avatar": PhoneRoute(_change_avatar, ("user",)),
    "subscribe": PhoneRoute(_subscribe, PERSON, ("subscribed",)),
}
