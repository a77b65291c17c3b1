"""The pages of open.weixin.qq.com, for browsers that have no WeChat: a form plays the person."""

import re
from collections.abc import Mapping
from html import escape
from string import Template
from urllib.parse import urlencode, urlsplit

from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.loopback import is_loopback
from wxauth.simulator.world import BASE, OFFICIAL_ACCOUNT, SCOPES, WEBSITE, SimulatedApp, World

AUTHORIZE, QRCONNECT = "/connect/oauth2/authorize", "/connect/qrconnect"
KIND = {AUTHORIZE: OFFICIAL_ACCOUNT, QRCONNECT: WEBSITE}
ORDER = ["appid", "redirect_uri", "response_type", "scope", "state"]
# What these pages may be told beside, by WeChat's documents and by our own form.
MORE = {AUTHORIZE: {"forcePopup", "forceSnapShot", "connect_redirect"}, QRCONNECT: {"lang"}}
FORM = {"_sim_user", "_sim_do", "_sim_way"}
EMPTY = {"scope": 10010, "redirect_uri": 10011, "appid": 10012, "state": 10013}
STATE = re.compile(r"[a-zA-Z0-9]{1,128}")
WAYS = {
    "once": "as usual",
    "twice": "the callback comes twice, with one code",
    "two_codes": "the callback comes twice, with two codes",
    "snapshot": "the page runs as a snapshot: the visitor is nobody",
}

PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">$head<title>$title · simulator</title></head>
<body><main><p>This is the simulator of WeChat, not WeChat.</p><h1>$title</h1>$body</main></body>
</html>
""")
CHOICE = Template("""
<p>$ask <b>$app_id</b> · $scope</p>
<form method="get">$hidden
<p><label>Who you are <input name="_sim_user" value="alice" required maxlength="200"></label></p>
<p><label>How it goes <select name="_sim_way">$ways</select></label></p>
<p><button name="_sim_do" value="allow">Allow</button>
<button name="_sim_do" value="refuse" formnovalidate>Refuse</button></p></form>""")


class PageError(Exception):
    """The page shows this number and sentence to the visitor, and nobody is sent anywhere."""


Page = tuple[int, str, str | None]  # status, HTML, and where to go


def show_page(world: World, path: str, query: Mapping[str, str]) -> Page:
    """Return what the browser gets; a person who is known to the world by ``approver`` allows."""
    try:
        app = _check(world, path, query)
    except PageError as error:
        return 200, _page("Error", f"<p role='alert'>{escape(str(error))}</p>"), None
    name, way = query.get("_sim_user", ""), query.get("_sim_way", "once")
    if query.get("_sim_do") == "refuse":
        return 200, _page("Refused", "<p>You have refused. Nothing is sent back.</p>"), None
    if query.get("_sim_do") != "allow" and world.approver is None:
        return 200, _choice(path, query, app), None
    try:
        return _allow(world, app, query, name=name or world.approver or "", way=way)
    except SimulatorError as error:
        return 400, _page("Error", f"<p role='alert'>{escape(str(error))}</p>"), None


def _check(world: World, path: str, query: Mapping[str, str]) -> SimulatedApp:
    names = [name for name in query if name not in FORM]
    for name, number in EMPTY.items():
        if not query.get(name):
            raise PageError(f"{number}: {name} is empty")
    if names[: len(ORDER)] != ORDER or not set(names[len(ORDER) :]) <= MORE[path]:
        raise PageError("10005: scope parameter error: the parameters are not in their order")
    app = world.apps.get(query["appid"])
    if app is None:
        raise PageError("10012: there is no such appid")
    if app.kind != KIND[path]:
        raise PageError("10016: this appid is of another kind of app")
    if query["scope"] not in SCOPES[app.kind]:
        raise PageError("10005: the account has no such scope")
    if query["response_type"] != "code":
        raise PageError("response_type is not code")
    if not STATE.fullmatch(query["state"]):
        raise PageError("state is not of letters and digits, 128 at most")
    if not _is_callback(query["redirect_uri"], app):
        raise PageError("10003: redirect_uri is not below the domain of the app")
    return app


def _is_callback(redirect_uri: str, app: SimulatedApp) -> bool:
    try:
        url = urlsplit(redirect_uri)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    if url.scheme not in {"http", "https"} or url.username is not None or not host:
        return False
    # WeChat takes no port and no loopback address; whoever develops has both.
    if app.callback_domain is None:
        return is_loopback(host)
    return host == app.callback_domain and port is None


def _allow(
    world: World, app: SimulatedApp, query: Mapping[str, str], *, name: str, way: str
) -> Page:
    if way not in WAYS:
        raise SimulatorError(f"no way {way!r}; there are: {', '.join(WAYS)}")
    is_snapshot = way == "snapshot"

    def address() -> str:
        code = world.authorize(name, app.app_id, scope=query["scope"], is_snapshot=is_snapshot)
        uri = query["redirect_uri"]
        return (
            f"{uri}{'&' if '?' in uri else '?'}{urlencode({'code': code, 'state': query['state']})}"
        )

    first = address()
    if way not in {"twice", "two_codes"}:
        return 302, "", first
    second = first if way == "twice" else address()
    # The client opens the link ahead of the visitor: the same browser asks twice.
    body = f'<p>One moment …</p><img src="{escape(first)}" alt="" width="1" height="1">'
    refresh = f'<meta http-equiv="refresh" content="1;url={escape(second)}">'
    return 200, _page("Redirect", body, head=refresh), None


def _choice(path: str, query: Mapping[str, str], app: SimulatedApp) -> str:
    is_silent = query["scope"] == BASE
    ask = "asks who you are, and real visitors see no page:" if is_silent else "asks for you:"
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.items()
        if name not in FORM
    )
    ways = "".join(f'<option value="{way}">{text}</option>' for way, text in WAYS.items())
    title = "Scan to sign in" if path == QRCONNECT else "Authorise"
    body = CHOICE.substitute(
        ask=ask, app_id=escape(app.app_id), scope=escape(query["scope"]), hidden=hidden, ways=ways
    )
    return _page(title, body)


def _page(title: str, body: str, *, head: str = "") -> str:
    return PAGE.substitute(title=title, body=body, head=head)
