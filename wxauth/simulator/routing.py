"""What all endpoints have in common: request, verb, JSON body, the app's credentials."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from wxauth.simulator.errors import ApiError
from wxauth.simulator.world import SimulatedApp, World

TEXT = "text/plain"
JSON = "application/json; encoding=utf-8"  # so WeChat writes it: "encoding", not "charset"


class Method(StrEnum):
    """The verbs that an endpoint takes."""

    GET = "GET"
    POST = "POST"
    GET_OR_POST = "GET or POST"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as far as endpoints care."""

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    address: str = "127.0.0.1"
    base_url: str = "http://127.0.0.1"  # where the caller has found the simulator
    raw_query: str = field(default="", repr=False)

    def json(self) -> dict[str, Any]:
        """Return the JSON object in the body; raise ``ApiError`` 44002 or 47001."""
        if not self.body:
            raise ApiError(44002)
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError):
            raise ApiError(47001) from None
        if not isinstance(data, dict):
            raise ApiError(47001)
        return data


Answer = dict[str, Any]
Endpoint = Callable[[World, Request], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One path of WeChat's API."""

    endpoint: Endpoint
    method: Method = Method.GET
    content_type: str = JSON


def answer_request(routes: Mapping[str, Route], world: World, request: Request) -> Answer:
    """Return the endpoint's answer; raise ``ApiError`` when it refuses, or the verb is wrong."""
    route = routes.get(request.path)
    if route is None:
        raise ApiError(40066)
    if request.method not in route.method.split(" or "):
        raise ApiError(43002 if route.method is Method.POST else 43001)
    with world.lock:
        return route.endpoint(world, request)


def text_field(data: Mapping[str, Any], name: str) -> str:
    """Return a text, empty when absent; raise ``ApiError`` 47001 for another type."""
    value = data.get(name, "")
    if not isinstance(value, str):
        raise ApiError(47001)
    return value


def known_app(world: World, fields: Mapping[str, Any]) -> SimulatedApp:
    """Return the app of ``appid``; raise ``ApiError`` 41002 or 40013."""
    app_id = text_field(fields, "appid")
    if not app_id:
        raise ApiError(41002)
    app = world.apps.get(app_id)
    if app is None:
        raise ApiError(40013)
    return app


def authenticated_app(world: World, fields: Mapping[str, Any]) -> SimulatedApp:
    """Return the app that ``appid`` and ``secret`` prove: 41002, 40013, 41004, 40125."""
    app = known_app(world, fields)
    secret = text_field(fields, "secret")
    if not secret:
        raise ApiError(41004)
    if secret != app.app_secret:
        raise ApiError(40125)
    return app


def component_app(world: World, request: Request) -> SimulatedApp:
    """
    Return the app for which a third-party platform asks, with a token of its own.

    41002, 40013; 41001, 40014, 42001, 40001; 61003: the app has not authorised the platform.
    """
    app = known_app(world, request.query)
    component = request.query.get("component_appid", "")
    if not component:
        raise ApiError(41002)
    if component not in world.component_apps:
        raise ApiError(40013)
    token = request.query.get("component_access_token", "")
    if world.component_tokens.owner(token, now=world.now()) != component:
        raise ApiError(40001)
    if app.app_id not in world.component_apps[component]:
        raise ApiError(61003)
    return app


def token_app(world: World, request: Request) -> SimulatedApp:
    """Return the app of the access_token in the query: 41001, 40014, 42001, 40001."""
    owner = world.tokens.owner(request.query.get("access_token", ""), now=world.now())
    app = world.apps.get(owner)
    if app is None:  # use_apps took it away
        raise ApiError(40001)
    world.counters.count(request.path, app.app_id, now=world.now())
    return app
