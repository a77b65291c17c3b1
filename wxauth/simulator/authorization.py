"""What the pages of open.weixin.qq.com are asked for, and what they refuse."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from wxauth.simulator.loopback import is_loopback
from wxauth.simulator.routing import Request
from wxauth.simulator.world import (
    OFFICIAL_ACCOUNT,
    OPEN_PLATFORM,
    SCOPES,
    WEBSITE,
    SimulatedApp,
    World,
)

AUTHORIZE, QRCONNECT = "/connect/oauth2/authorize", "/connect/qrconnect"
KIND = {AUTHORIZE: OFFICIAL_ACCOUNT, QRCONNECT: WEBSITE}
ORDER = ["appid", "redirect_uri", "response_type", "scope", "state"]
FORM = {"_sim_user", "_sim_do", "_sim_way"}
EMPTY = {"scope": 10010, "redirect_uri": 10011, "appid": 10012, "state": 10013}
STATE = re.compile(r"[a-zA-Z0-9]{1,128}")
NOT_ENCODED = re.compile(r"(^|&)redirect_uri=[^&]*://")
URL_SIGNS = "%:/?#[]@!$&'()*+,;=~"  # what an address holds beside letters, digits and -._

# What the pages may be told beside, and the values that it takes; None: any.
Choices = Mapping[str, frozenset[str] | None]
YES_OR_NO = frozenset({"true", "false"})
MORE: Mapping[str, Choices] = {
    AUTHORIZE: {
        "forcePopup": YES_OR_NO,
        "forceSnapShot": YES_OR_NO,
        "connect_redirect": frozenset({"1"}),
        "component_appid": None,
    },
    QRCONNECT: {"lang": frozenset({"cn", "en"})},
}
EMBEDDED: Choices = {
    **MORE[QRCONNECT],
    "login_type": frozenset({"jssdk"}),
    "self_redirect": YES_OR_NO | {"default"},
    "style": frozenset({"black", "white"}),
    "stylelite": frozenset({"0", "1"}),
    "fast_login": frozenset({"0", "1"}),
    "color_scheme": frozenset({"light", "dark", "auto"}),
    "href": None,
    "styletype": None,
    "sizetype": None,
    "bgcolor": None,
    "rst": None,
    "ts": None,
}
SCHEMES = {"light": "light", "dark": "dark", "auto": "light dark"}


class PageError(Exception):
    """The page shows this number and sentence to the visitor, and nobody is sent anywhere."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is asked for; ``fields`` are WeChat's own, in the order of the address."""

    path: str
    app: SimulatedApp
    fields: Mapping[str, str]

    @property
    def is_embedded(self) -> bool:
        """Whether the page stands in a frame."""
        return "login_type" in self.fields

    @property
    def takes_window(self) -> bool:
        """Whether the way back is for the whole window, though the page stands in a frame."""
        return self.is_embedded and self.fields.get("self_redirect") != "true"

    @property
    def offers_fast_login(self) -> bool:
        """Whether a WeChat on the same computer may spare the scan."""
        return self.path == QRCONNECT and self.fields.get("fast_login") != "0"

    @property
    def is_snapshot(self) -> bool:
        """Whether the page is to run as a snapshot."""
        return self.fields.get("forceSnapShot") == "true"

    @property
    def is_chinese(self) -> bool:
        """Whether Chinese is asked for; WeChat speaks it when nothing is."""
        return self.fields.get("lang") == "cn"

    @property
    def color_scheme(self) -> str:
        """Return what HTML calls it; frames are light unless another one is asked for."""
        usual = "light" if self.is_embedded else "auto"
        return SCHEMES[self.fields.get("color_scheme", usual)]

    def way_back(self, code: str) -> str:
        """Return the address with the code at its very end, behind a ``#`` too."""
        return self._with_code(self.fields["redirect_uri"], code)

    def fast_way_back(self, code: str) -> str:
        """Return the address with the code before a ``#``, where pages with such routes miss it."""
        page, hash_sign, fragment = self.fields["redirect_uri"].partition("#")
        return f"{self._with_code(page, code)}{hash_sign}{fragment}"

    def _with_code(self, address: str, code: str) -> str:
        fields = urlencode({"code": code, "state": self.fields["state"]})
        # Chinese, spaces and line breaks stand in no header.
        safe = quote(address, safe=URL_SIGNS)
        return f"{safe}{'&' if '?' in safe else '?'}{fields}"


def read_asked(world: World, request: Request) -> Asked:
    """Return what is asked for; raise ``PageError`` for what WeChat refuses."""
    path = request.path
    fields = {name: value for name, value in request.query.items() if name not in FORM}
    for name, number in EMPTY.items():
        if not fields.get(name):
            raise PageError(f"{number}: {name} is empty")
    _check_names(path, fields)
    app = world.apps.get(fields["appid"])
    if app is None:
        raise PageError("there is no such appid")
    if path == AUTHORIZE and app.kind in OPEN_PLATFORM:
        raise PageError("10016: this appid is of the Open Platform")
    if app.kind != KIND[path]:
        raise PageError("10005: the account is of another kind")
    if fields["scope"] not in SCOPES[app.kind]:
        raise PageError("10005: the account has no such scope")
    if fields.get("response_type", "code") != "code":
        raise PageError("response_type is not code")
    if not STATE.fullmatch(fields["state"]):
        raise PageError("state is not of letters and digits, 128 at most")
    if NOT_ENCODED.search(request.raw_query):
        raise PageError("redirect_uri is not percent-encoded")
    if not _is_callback(fields["redirect_uri"], app):
        raise PageError("10003: redirect_uri is not below the domain of the app")
    return Asked(path=path, app=app, fields=fields)


def _check_names(path: str, fields: Mapping[str, str]) -> None:
    names = list(fields)
    is_embedded = path == QRCONNECT and "login_type" in fields
    choices = EMBEDDED if is_embedded else MORE[path]
    # wxLogin.js sends no response_type, and has an order of its own.
    needed = set(ORDER) - {"response_type"} if is_embedded else set(ORDER)
    is_ordered = path == QRCONNECT or names[: len(ORDER)] == ORDER
    if not is_ordered or not needed <= set(names) <= {*ORDER, *choices}:
        raise PageError("10005: scope parameter error: one is missing, unknown, or out of order")
    for name in names:
        allowed = choices.get(name)
        if allowed is not None and fields[name] not in allowed:
            raise PageError(f"{name} is none of: {', '.join(sorted(allowed))}")


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
