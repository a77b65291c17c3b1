"""The phone's side over HTTP, and the controls: ``GET /_sim/…``, JSON, for pages and scripts."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl, urlencode

from wxauth.simulator import phone_web
from wxauth.simulator.controls import Controls
from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.people import Person
from wxauth.simulator.phone_routing import PERSON, Params, PhoneRoute, read_flag, read_number

PREFIX = "/_sim/"
SECRETS = frozenset({"secret", "access_token", "refresh_token", "component_access_token"})


def answer_phone(controls: Controls, path: str, params: Params) -> dict[str, Any]:
    """Return the answer; raise ``SimulatorError`` for an unknown path or a bad parameter."""
    route = ROUTES.get(path.removeprefix(PREFIX))
    if route is None:
        raise SimulatorError(f"no {path}; there are: {', '.join(PREFIX + name for name in ROUTES)}")
    missing = [name for name in route.required if not params.get(name)]
    if missing:
        raise SimulatorError(f"missing: {', '.join(missing)}")
    unknown = sorted(set(params) - {*route.required, *route.optional})
    if unknown:
        raise SimulatorError(f"unknown: {', '.join(unknown)}")
    return route.action(controls, params)


def _login(controls: Controls, params: Params) -> dict[str, Any]:
    return {"code": controls.login(params["user"], params["appid"])}


def _userinfo(controls: Controls, params: Params) -> dict[str, Any]:
    with_openid = read_flag(params, "with_openid") if "with_openid" in params else None
    api = params.get("api", "getUserInfo")
    return controls.userinfo(params["user"], params["appid"], api, with_openid=with_openid)


def _phone(controls: Controls, params: Params) -> dict[str, Any]:
    return controls.phone(params["user"], params["appid"])


def _pay(controls: Controls, params: Params) -> dict[str, Any]:
    return controls.pay(params["user"], params["appid"])


def _encrypt_key(controls: Controls, params: Params) -> dict[str, Any]:
    return controls.encrypt_key(params["user"], params["appid"])


def _session_key(controls: Controls, params: Params) -> dict[str, Any]:
    return {"session_key": controls.session_key(params["user"], params["appid"])}


def _expire_session_key(controls: Controls, params: Params) -> dict[str, Any]:
    controls.expire_session_key(params["user"], params["appid"])
    return {}


def _push(controls: Controls, params: Params) -> dict[str, Any]:
    status, text = controls.push(
        params["user"],
        params["appid"],
        params["event"],
        url=params["url"],
        revoke_info=params.get("revoke_info", ""),
        form=params.get("format", "xml"),
    )
    return {"status": status, "answer": text}


TEXTS = (
    "phone_number",
    "country_code",
    "nickname",
    "avatar_url",
    "language",
    "city",
    "province",
    "country",
)


def _user(controls: Controls, params: Params) -> dict[str, Any]:
    person = controls.user(params["user"])
    changes: dict[str, Any] = {name: params[name] for name in TEXTS if name in params}
    for name in ("phone_number", "country_code"):
        if not re.fullmatch(r"[0-9]*", changes.get(name, "")):
            raise SimulatorError(f"{name} is digits")
    if "gender" in params:
        changes["gender"] = int(read_number(params, "gender"))
    if "blocked" in params:
        changes["blocked"] = read_flag(params, "blocked")
    if "unionid_hidden" in params:
        hidden = params["unionid_hidden"]
        is_flag = hidden in ("0", "1", "")
        changes["unionid_hidden"] = hidden == "1" if is_flag else frozenset(hidden.split(","))
    for name, value in changes.items():
        setattr(person, name, value)
    return _person_as_json(controls, person)


def _person_as_json(controls: Controls, person: Person) -> dict[str, Any]:
    data = asdict(person)
    if not isinstance(person.unionid_hidden, bool):
        data["unionid_hidden"] = sorted(person.unionid_hidden)
    apps = controls.apps
    data["openids"] = {app.app_id: controls.openid(person.name, app.app_id) for app in apps}
    scopes = {app.union_scope for app in apps if app.union_scope is not None}
    data["unionids"] = {scope: controls.unionid(person.name, scope) for scope in sorted(scopes)}
    return data


def _apps(controls: Controls, params: Params) -> dict[str, Any]:
    apps = controls.apps
    return {
        "apps": [
            {"appid": app.app_id, "kind": app.kind, "union_scope": app.union_scope} for app in apps
        ]
    }


def _fail(controls: Controls, params: Params) -> dict[str, Any]:
    times = params.get("times", "1")
    controls.fail(
        params["path"],
        errcode=int(read_number(params, "errcode")) if "errcode" in params else None,
        fault=params.get("fault"),
        times=None if times == "forever" else int(read_number({"times": times}, "times")),
        delay=read_number(params, "delay") if "delay" in params else 0.0,
        errmsg=params.get("errmsg"),
    )
    return {}


def _clear_faults(controls: Controls, params: Params) -> dict[str, Any]:
    controls.clear_faults()
    return {}


def _advance(controls: Controls, params: Params) -> dict[str, Any]:
    controls.advance(read_number(params, "seconds"))
    return {"now": controls.now()}


def _rotation(controls: Controls, params: Params) -> dict[str, Any]:
    if "mode" in params:
        controls.session_key_rotation = params["mode"]
    return {"mode": controls.session_key_rotation}


def _quirks(controls: Controls, params: Params) -> dict[str, Any]:
    if "names" in params:
        controls.quirks = [name for name in params["names"].split(",") if name]
    return {"names": sorted(controls.quirks)}


def _limit(controls: Controls, params: Params) -> dict[str, Any]:
    names = ("per_minute", "per_day", "per_person_minute")
    limits = {name: int(read_number(params, name)) for name in names if name in params}
    controls.limit(params["path"], **limits)
    return {}


def _addresses(controls: Controls, params: Params) -> dict[str, Any]:
    allowed = params.get("allowed")
    controls.allow_addresses(params["appid"], None if allowed is None else allowed.split(","))
    return {}


def _revoke_access_tokens(controls: Controls, params: Params) -> dict[str, Any]:
    controls.revoke_access_tokens(params["appid"])
    return {}


def _component(controls: Controls, params: Params) -> dict[str, Any]:
    app_ids = params["appids"].split(",")
    token = controls.component_access_token(params["component_appid"], app_ids)
    return {"component_access_token": token}


def _stats(controls: Controls, params: Params) -> dict[str, Any]:
    with controls.world.lock:
        counts, connections = controls.records.counts, controls.records.connections
    return {"connections": connections, "calls": counts, "now": controls.now()}


def _requests(controls: Controls, params: Params) -> dict[str, Any]:
    calls = controls.calls(params["path"]) if "path" in params else controls.requests
    return {
        "requests": [
            {
                "path": call.path,
                "method": call.method,
                "connection_id": call.connection_id,
                "at": call.at,
                "errcode": call.errcode,
                "query": _without_secrets(call.query),
                "body": _body_without_secrets(call.body),
            }
            for call in calls
        ]
    }


def _reset(controls: Controls, params: Params) -> dict[str, Any]:
    controls.reset()
    return {}


def _without_secrets(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "***" if name in SECRETS else value for name, value in fields.items()}


def _body_without_secrets(body: bytes) -> Any:
    """Return the JSON object without its secrets; anything else as text, read as a form."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return urlencode(_without_secrets(dict(parse_qsl(body.decode("utf-8", "replace")))))
    return _without_secrets(data) if isinstance(data, dict) else None


ROUTES = {
    "login": PhoneRoute(_login, PERSON),
    "userinfo": PhoneRoute(_userinfo, PERSON, ("api", "with_openid")),
    "phone": PhoneRoute(_phone, PERSON),
    "pay": PhoneRoute(_pay, PERSON),
    "encrypt_key": PhoneRoute(_encrypt_key, PERSON),
    "session_key": PhoneRoute(_session_key, PERSON),
    "expire_session_key": PhoneRoute(_expire_session_key, PERSON),
    "push": PhoneRoute(_push, (*PERSON, "event", "url"), ("revoke_info", "format")),
    "user": PhoneRoute(_user, ("user",), (*TEXTS, "gender", "blocked", "unionid_hidden")),
    "apps": PhoneRoute(_apps),
    "fail": PhoneRoute(_fail, ("path",), ("errcode", "errmsg", "fault", "times", "delay")),
    "clear_faults": PhoneRoute(_clear_faults),
    "advance": PhoneRoute(_advance, ("seconds",)),
    "rotation": PhoneRoute(_rotation, (), ("mode",)),
    "quirks": PhoneRoute(_quirks, (), ("names",)),
    "limit": PhoneRoute(_limit, ("path",), ("per_minute", "per_day", "per_person_minute")),
    "addresses": PhoneRoute(_addresses, ("appid",), ("allowed",)),
    "revoke_access_tokens": PhoneRoute(_revoke_access_tokens, ("appid",)),
    "component": PhoneRoute(_component, ("component_appid", "appids")),
    "stats": PhoneRoute(_stats),
    "requests": PhoneRoute(_requests, (), ("path",)),
    "reset": PhoneRoute(_reset),
    **phone_web.ROUTES,
}
