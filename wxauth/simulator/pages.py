"""The pages of open.weixin.qq.com, for browsers that have no WeChat: a form plays the person."""

import json
from collections.abc import Mapping
from html import escape
from string import Template

from wxauth.simulator.authorization import AUTHORIZE, KIND, Asked, PageError, read_asked
from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.routing import Request
from wxauth.simulator.world import BASE, World

PATHS = frozenset(KIND)
WAYS = {
    "once": "as usual",
    "twice": "the callback comes twice, with one code",
    "two_codes": "the callback comes twice, with two codes",
    "snapshot": "the page runs as a snapshot: the visitor is nobody",
}
CHINESE = {
    "This is the simulator of WeChat, not WeChat.": "这是微信模拟器，不是微信。",
    "Scan to sign in": "扫码登录",
    "Redirect": "跳转",
    "Refused": "已拒绝",
    "One moment …": "请稍候……",
    "You have refused. Nothing is sent back.": "您已拒绝，不会跳转。",
    "asks for you:": "请求获取您的身份：",
    "Who you are": "您是谁",
    "How it goes": "过程",
    "Allow": "允许",
    "Refuse": "拒绝",
    "Continue as": "不扫码，继续以此身份登录：",
    "as usual": "正常",
    "the callback comes twice, with one code": "回调两次，同一个 code",
    "the callback comes twice, with two codes": "回调两次，两个 code",
    "the page runs as a snapshot: the visitor is nobody": "快照页：访客是虚拟用户",
}

PAGE = Template("""<!doctype html>
<html lang="$language"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="$scheme">$head<title>$title · simulator</title></head>
<body><main><p>$note</p><h1>$title</h1>$body</main></body>
</html>
""")
CHOICE = Template("""
<p>$ask <b>$app_id</b> · $scope</p>
<form method="get" target="$target">$hidden$fast
<p><label>$who <input name="_sim_user" value="alice" required maxlength="200"></label></p>
<p><label>$how <select name="_sim_way">$ways</select></label></p>
<p><button name="_sim_do" value="allow">$allow</button>
<button name="_sim_do" value="refuse" formnovalidate formtarget="_self">$refuse</button></p></form>
""")
FAST = Template("""
<p><button name="_sim_do" value="fast" formnovalidate>$text $name</button></p>""")
# For 300 by 400 pixels, as wxLogin.js makes the frame.
COMPACT = """<style>body{margin:8px;font:13px/1.4 sans-serif}h1{margin:0;font-size:16px}
p{margin:8px 0;overflow-wrap:anywhere}input,select{display:block;width:100%;box-sizing:border-box}
</style>"""
# What wxLogin.js waits for.
READY = """<script>parent.postMessage('{"type":"status","status":"wxReady"}', "*")</script>"""
# No server sees the end of an address; the browser does.
FRAGMENT = """<script>if (location.hash !== "#wechat_redirect") {
const main = document.querySelector("main");
main.textContent = "The address does not end in #wechat_redirect.";
main.setAttribute("role", "alert");
}</script>"""


Page = tuple[int, str, str | None]  # status, HTML, and where to go


def show_page(world: World, request: Request) -> Page:
    """Return what the browser gets; a person who is known to the world by ``approver`` allows."""
    try:
        asked = read_asked(world, request)  # may wait for a name server, so without the lock
    except PageError as error:
        return 200, _error(error), None
    try:
        with world.lock:
            return _show(world, asked, request.query)
    except SimulatorError as error:
        return 400, _error(error), None


def _show(world: World, asked: Asked, query: Mapping[str, str]) -> Page:
    name, way = query.get("_sim_user", ""), query.get("_sim_way", "once")
    match query.get("_sim_do"):
        case "refuse":
            return 200, _refused(asked), None
        case "allow":
            return _allow(world, asked, name=name or world.approver or "", way=way)
        case "fast":
            return 302, "", _continue(world, asked)
    if world.approver is None:
        return 200, _choice(world, asked), None
    status, html, location = _allow(world, asked, name=name or world.approver, way=way)
    if location is None or not asked.takes_window:
        return status, html, location
    return 200, _leave_frame(asked, location), None


def _allow(world: World, asked: Asked, *, name: str, way: str) -> Page:
    if way not in WAYS:
        raise SimulatorError(f"no way {way!r}; there are: {', '.join(WAYS)}")
    is_snapshot = way == "snapshot" or asked.is_snapshot
    app_id, scope = asked.app.app_id, asked.fields["scope"]

    def address() -> str:
        return asked.way_back(world.authorize(name, app_id, scope=scope, is_snapshot=is_snapshot))

    first = address()
    if way not in {"twice", "two_codes"}:
        return 302, "", first
    second = first if way == "twice" else address()
    # The client opens the link ahead of the visitor: the same browser asks twice.
    body = f'<img src="{escape(first)}" alt="" width="1" height="1">'
    refresh = f'<meta http-equiv="refresh" content="1;url={escape(second)}">'
    return 200, _page(asked, "Redirect", f"{_moment(asked)}{body}", head=refresh), None


def _continue(world: World, asked: Asked) -> str:
    """Let the person of the desktop's WeChat allow, without a scan; return where to go."""
    if world.desktop is None or not asked.offers_fast_login:
        raise SimulatorError("no WeChat on this computer is signed in, or fast login is off")
    scope = asked.fields["scope"]
    return asked.fast_way_back(world.authorize(world.desktop, asked.app.app_id, scope=scope))


def _choice(world: World, asked: Asked) -> str:
    is_silent = asked.fields["scope"] == BASE
    ask = "asks who you are, and real visitors see no page:" if is_silent else "asks for you:"
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in asked.fields.items()
    )
    ways = "".join(
        f'<option value="{way}">{_say(asked, text)}</option>'
        for way, text in WAYS.items()
        if way != "snapshot" or asked.path == AUTHORIZE  # of official accounts only
    )
    fast = ""
    if world.desktop is not None and asked.offers_fast_login:
        text = _say(asked, "Continue as")
        fast = FAST.substitute(text=text, name=escape(world.desktop))
    body = CHOICE.substitute(
        ask=_say(asked, ask),
        app_id=escape(asked.app.app_id),
        scope=escape(asked.fields["scope"]),
        target="_top" if asked.takes_window else "_self",
        hidden=hidden,
        fast=fast,
        who=_say(asked, "Who you are"),
        how=_say(asked, "How it goes"),
        ways=ways,
        allow=_say(asked, "Allow"),
        refuse=_say(asked, "Refuse"),
    )
    if asked.path == AUTHORIZE:
        return _page(asked, "Authorise", body + FRAGMENT)
    return _page(asked, "Scan to sign in", body + (READY if asked.is_embedded else ""))


def _refused(asked: Asked) -> str:
    text = _say(asked, "You have refused. Nothing is sent back.")
    return _page(asked, "Refused", f"<p>{text}</p>")


def _leave_frame(asked: Asked, location: str) -> str:
    """Return a page that sends the whole window on, as WeChat's does after the scan."""
    address = json.dumps(location).replace("<", "\\u003c")
    script = f"<script>top.location.replace({address})</script>"
    return _page(asked, "Redirect", f"{_moment(asked)}{script}")


def _moment(asked: Asked) -> str:
    return f"<p>{_say(asked, 'One moment …')}</p>"


def _say(asked: Asked, text: str) -> str:
    return CHINESE.get(text, text) if asked.is_chinese else text


def _page(asked: Asked, title: str, body: str, *, head: str = "") -> str:
    return PAGE.substitute(
        language="zh-Hans" if asked.is_chinese else "en",
        scheme=asked.color_scheme,
        head=head + (COMPACT if asked.is_embedded else ""),
        title=_say(asked, title),
        note=_say(asked, "This is the simulator of WeChat, not WeChat."),
        body=body,
    )


def _error(error: Exception) -> str:
    return PAGE.substitute(
        language="en",
        scheme="light dark",
        head="",
        title="Error",
        note="This is the simulator of WeChat, not WeChat.",
        body=f"<p role='alert'>{escape(str(error))}</p>",
    )
