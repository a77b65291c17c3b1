"""``/cgi-bin/token`` and ``/cgi-bin/stable_token``: the app's own credential."""

from wxauth.simulator.errors import ApiError
from wxauth.simulator.limits import day_of
from wxauth.simulator.routing import (
    TEXT,
    Answer,
    Method,
    Request,
    Route,
    authenticated_app,
    text_field,
)
from wxauth.simulator.tokens import Token
from wxauth.simulator.world import OPEN_PLATFORM, World


def get_token(world: World, request: Request) -> Answer:
    """Each call makes a new token; the one before lives on for 5 minutes."""
    app_id = _authorised_app_id(world, request, dict(request.query))
    return _answer(world.tokens.issue_plain(app_id, now=world.now()), world)


def get_stable_token(world: World, request: Request) -> Answer:
    """The same token until its last 5 minutes, or with ``force_refresh`` a new one."""
    fields = request.json()
    force = fields.get("force_refresh", False)
    if not isinstance(force, bool):
        raise ApiError(47001)
    app_id = _authorised_app_id(world, request, fields)
    now = world.now()
    if force:
        return _answer(world.tokens.force_stable(app_id, now=now, day=day_of(now)), world)
    return _answer(world.tokens.issue_stable(app_id, now=now), world)


def _authorised_app_id(world: World, request: Request, fields: dict[str, object]) -> str:
    app = authenticated_app(world, fields)
    if app.kind in OPEN_PLATFORM:
        raise ApiError(61024)
    allowed = world.allowed_addresses.get(app.app_id)
    if allowed is not None and request.address not in allowed:
        address = request.address
        raise ApiError(40164, f"invalid ip {address} ipv6 ::ffff:{address}, not in whitelist")
    if text_field(fields, "grant_type") != "client_credential":
        raise ApiError(40002)
    world.counters.count(request.path, app.app_id, now=world.now())
    return app.app_id


def _answer(token: Token, world: World) -> Answer:
    # Rounded up: a token made this instant has 7200 seconds, one renewed at 300 never fewer.
    left = int(token.expires_at - world.now() + 0.999)
    return {"access_token": token.value, "expires_in": left}


ROUTES = {
    "/cgi-bin/token": Route(get_token, content_type=TEXT),
    "/cgi-bin/stable_token": Route(get_stable_token, Method.POST),
}
