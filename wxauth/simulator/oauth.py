"""The endpoints of web authorisation: official accounts, websites, mobile apps."""

from typing import Any

from wxauth.simulator.errors import ApiError
from wxauth.simulator.grants import ACCESS_LIFETIME, REFRESH_LIFETIME, Grant
from wxauth.simulator.people import ANONYMOUS_NICKNAME, Person, openid_of
from wxauth.simulator.routing import (
    TEXT,
    Answer,
    Request,
    Route,
    authenticated_app,
    component_app,
    known_app,
)
from wxauth.simulator.world import BASE, OFFICIAL_ACCOUNT, SimulatedApp, World

PROFILE_SCOPES = {"snsapi_userinfo", "snsapi_login"}


def access_token(world: World, request: Request) -> Answer:
    """Exchange the code of an authorisation for who it is, by the app's secret."""
    app = authenticated_app(world, request.query)
    return _exchange(world, request, app)


def component_access_token(world: World, request: Request) -> Answer:
    """Do the same for an official account, by the token of a third-party platform."""
    return _exchange(world, request, component_app(world, request))


def refresh_token(world: World, request: Request) -> Answer:
    """Prolong a grant. No secret is asked for."""
    app = known_app(world, request.query)
    if request.query.get("grant_type") != "refresh_token":
        raise ApiError(40002)
    world.counters.count(request.path, app.app_id, now=world.now())
    token = request.query.get("refresh_token", "")
    grant = world.grants.refresh(token, app_id=app.app_id, now=world.now())
    return _answer(world, app, grant)


def user_info(world: World, request: Request) -> Answer:
    """Tell the profile of somebody who has granted that."""
    grant = _granted(world, request)
    if not PROFILE_SCOPES & set(grant.scope.split(",")):
        raise ApiError(48001)
    # The visitor of a snapshot page shows nothing of the person: not the name, not the picture.
    person = Person(ANONYMOUS_NICKNAME) if grant.is_snapshot else world.person(grant.name)
    picture = world.avatars.path(grant.openid if grant.is_snapshot else grant.name)
    answer: dict[str, Any] = {
        "openid": grant.openid,
        "nickname": person.name if person.nickname is None else person.nickname,
        "sex": 0,  # for everybody, like the regions, since 2021-10-20
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": request.base_url + picture
        if person.avatar_url is None
        else person.avatar_url,
        "privilege": [],
    }
    unionid = None if grant.is_snapshot else world.unionid(grant.name, grant.app_id)
    return answer if unionid is None else {**answer, "unionid": unionid}


def auth(world: World, request: Request) -> Answer:
    """Say whether the access_token is good for this openid."""
    _granted(world, request)
    return {"errcode": 0, "errmsg": "ok"}


def _exchange(world: World, request: Request, app: SimulatedApp) -> Answer:
    if request.query.get("grant_type") != "authorization_code":
        raise ApiError(40002)
    text = request.query.get("code", "")
    if not text:
        raise ApiError(41008)
    now = world.now()
    code = world.codes.find_oauth(text, app_id=app.app_id, now=now)
    world.counters.count(request.path, app.app_id, now=now)
    code.used = True
    if world.person(code.name).blocked:
        raise ApiError(50002)
    openid = world.openid(code.name, app.app_id)
    grant = Grant(
        app_id=app.app_id,
        name=code.name,
        # The visitor of a snapshot page is somebody else each time, and nobody.
        openid=openid_of(f"snapshot {text}", app.app_id) if code.is_snapshot else openid,
        scope=code.scope,
        refresh_ends_at=now + REFRESH_LIFETIME[app.kind],
        is_snapshot=code.is_snapshot,
    )
    return _answer(world, app, world.grants.add(grant, now=now))


def _answer(world: World, app: SimulatedApp, grant: Grant) -> Answer:
    answer: dict[str, Any] = {
        "access_token": grant.access_token,
        "expires_in": ACCESS_LIFETIME,
        "refresh_token": grant.refresh_token,
        "openid": grant.openid,
        "scope": grant.scope,
    }
    if grant.is_snapshot:
        return {**answer, "is_snapshotuser": 1}
    # Official accounts get no unionid by the silent scope, since 2017-12.
    is_silent = app.kind == OFFICIAL_ACCOUNT and grant.scope == BASE
    unionid = None if is_silent else world.unionid(grant.name, grant.app_id)
    return answer if unionid is None else {**answer, "unionid": unionid}


def _granted(world: World, request: Request) -> Grant:
    grant = world.grants.find(request.query.get("access_token", ""), now=world.now())
    openid = request.query.get("openid", "")
    if not openid:
        raise ApiError(41009)
    if openid != grant.openid:
        raise ApiError(40003)
    world.counters.count(request.path, grant.app_id, now=world.now())
    return grant


ROUTES = {
    "/sns/oauth2/access_token": Route(access_token, content_type=TEXT),
    "/sns/oauth2/component/access_token": Route(component_access_token, content_type=TEXT),
    "/sns/oauth2/refresh_token": Route(refresh_token, content_type=TEXT),
    "/sns/userinfo": Route(user_info, content_type=TEXT),
    "/sns/auth": Route(auth, content_type=TEXT),
}
