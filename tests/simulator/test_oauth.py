"""Web authorisation: the endpoints below /sns/, their lifetimes and refusals, and the pages."""

import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from tests.simulator.conftest import APP, SIBLING, WEBSITE, Server
from wxauth.simulator import SimulatedApp, SimulatorError, WechatSimulator, authorization

pytestmark = pytest.mark.static

ACCOUNT = SimulatedApp("wx00000000000000e1", "secret-of-e1", "official_account", "main")
MOBILE = SimulatedApp("wx00000000000000e2", "secret-of-e2", "mobile", "main")
EXCHANGE, REFRESH = "/sns/oauth2/access_token", "/sns/oauth2/refresh_token"
USER_INFO, AUTH = "/sns/userinfo", "/sns/auth"


@pytest.fixture(autouse=True)
def _apps(sim: WechatSimulator) -> Any:
    before = sim.apps
    sim.use_apps([*before, ACCOUNT, MOBILE])
    yield
    sim.use_apps(before)


def exchange(server: Server, code: str, app: SimulatedApp = WEBSITE, /, **changes: Any) -> Any:
    query: dict[str, Any] = {
        "appid": app.app_id,
        "secret": app.app_secret,
        "code": code,
        "grant_type": "authorization_code",
    }
    return server.get(EXCHANGE, **(query | changes))


def granted(sim: WechatSimulator, server: Server, app: SimulatedApp = WEBSITE, **how: Any) -> Any:
    answer = exchange(server, sim.oauth_code("alice", app.app_id, **how), app)
    assert "errcode" not in answer, answer
    return answer


def renew(server: Server, grant: Any, app: SimulatedApp = WEBSITE, **changes: Any) -> Any:
    query = {
        "appid": app.app_id,
        "grant_type": "refresh_token",
        "refresh_token": grant["refresh_token"],
    }
    return server.get(REFRESH, **(query | changes))


def read(server: Server, grant: Any, path: str = USER_INFO, **changes: Any) -> Any:
    query = {"access_token": grant["access_token"], "openid": grant["openid"]}
    return server.get(path, **(query | changes))


def test_grant_has_what_the_scope_gives(sim: WechatSimulator, server: Server) -> None:
    website = granted(sim, server)
    assert website["scope"] == "snsapi_login"
    assert website["expires_in"] == 7200
    assert website["openid"] == sim.openid("alice", WEBSITE.app_id)
    assert website["unionid"] == sim.unionid("alice", "main")
    silent = granted(sim, server, ACCOUNT, scope="snsapi_base")
    assert "unionid" not in silent
    assert granted(sim, server, ACCOUNT)["unionid"] == website["unionid"]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": ""}, 41002),
        ({"appid": "wxnone"}, 40013),
        ({"secret": ""}, 41004),
        ({"secret": "wrong"}, 40125),
        ({"grant_type": "x"}, 40002),
        ({"code": ""}, 41008),
        ({"code": "unknown"}, 40029),
        ({"appid": SIBLING.app_id, "secret": SIBLING.app_secret}, 40029),
    ],
)
def test_exchange_is_refused(
    sim: WechatSimulator, server: Server, changes: dict[str, str], errcode: int
) -> None:
    code = sim.oauth_code("alice", WEBSITE.app_id)
    assert exchange(server, code, **changes)["errcode"] == errcode
    assert "errcode" not in exchange(server, code)


def test_platform_exchanges_the_code_of_an_account(sim: WechatSimulator, server: Server) -> None:
    """A third-party platform, which has no secret of the account."""
    platform = "wx00000000000000ff"
    token = sim.component_access_token(platform, [ACCOUNT.app_id])
    page = get(page_url(sim, ACCOUNT, component_appid=platform))
    assert "Authorise" in page.text
    code = sim.oauth_code("alice", ACCOUNT.app_id)
    query = {
        "appid": ACCOUNT.app_id,
        "code": code,
        "grant_type": "authorization_code",
        "component_appid": platform,
        "component_access_token": token,
    }
    path = "/sns/oauth2/component/access_token"
    changes = {"component_access_token": "made-up"}, {"appid": WEBSITE.app_id}, {"code": ""}
    refused = [server.get(path, **(query | change))["errcode"] for change in changes]
    assert refused == [40014, 61003, 41008]
    grant = server.get(path, **query)
    assert grant["openid"] == sim.openid("alice", ACCOUNT.app_id)
    assert read(server, grant)["nickname"] == "alice"
    assert server.get(path, **query)["errcode"] == 40163


def test_codes_of_the_two_worlds_do_not_mix(sim: WechatSimulator, server: Server) -> None:
    assert server.exchange(sim.oauth_code("alice", WEBSITE.app_id), WEBSITE)["errcode"] == 40029
    login_code = sim.login("alice", APP.app_id)
    assert exchange(server, login_code, APP)["errcode"] == 40029
    with pytest.raises(SimulatorError):
        sim.oauth_code("alice", APP.app_id)
    with pytest.raises(SimulatorError):
        sim.oauth_code("alice", WEBSITE.app_id, scope="snsapi_base")


@pytest.mark.parametrize(("app", "seconds"), [(ACCOUNT, 300), (WEBSITE, 600), (MOBILE, 600)])
def test_code_is_good_once_and_for_minutes(
    sim: WechatSimulator, server: Server, app: SimulatedApp, seconds: int
) -> None:
    code, late = (sim.oauth_code("alice", app.app_id) for _ in range(2))
    sim.advance(seconds - 1)
    assert "errcode" not in exchange(server, code, app)
    assert exchange(server, code, app)["errcode"] == 40163
    sim.advance(1)
    assert exchange(server, late, app)["errcode"] == 42003


def test_profile_is_told_for_two_hours(sim: WechatSimulator, server: Server) -> None:
    sim.user("alice").nickname = "小明 🐟"
    grant = granted(sim, server)
    told = read(server, grant)
    assert list(told) == [
        "openid",
        "nickname",
        "sex",
        "city",
        "province",
        "country",
        "headimgurl",
        "privilege",
        "unionid",
    ]
    # As text/plain without a charset: who does not decode it as UTF-8 reads rubbish.
    assert told["nickname"].encode("latin-1").decode() == "小明 🐟"
    assert (told["sex"], told["privilege"]) == (0, [])
    assert told["unionid"] == grant["unionid"]
    assert read(server, grant, AUTH)["errcode"] == 0
    assert read(server, grant, AUTH, openid="oOther")["errcode"] == 40003
    assert read(server, grant, AUTH, access_token="x")["errcode"] == 40001
    assert read(server, grant, openid="oOther")["errcode"] == 40003
    assert read(server, grant, openid="")["errcode"] == 41009
    assert read(server, grant, access_token="")["errcode"] == 41001
    assert read(server, grant, access_token="x")["errcode"] == 40001
    sim.advance(7200)
    assert read(server, grant)["errcode"] == 42001


def test_silent_scope_tells_no_profile(sim: WechatSimulator, server: Server) -> None:
    assert read(server, granted(sim, server, ACCOUNT, scope="snsapi_base"))["errcode"] == 48001


@pytest.mark.parametrize(("app", "days"), [(ACCOUNT, 30), (WEBSITE, 30), (MOBILE, 180)])
def test_refresh_prolongs_or_renews(
    sim: WechatSimulator, server: Server, app: SimulatedApp, days: int
) -> None:
    grant = granted(sim, server, app)
    sim.advance(7000)
    assert renew(server, grant, app)["access_token"] == grant["access_token"]
    sim.advance(7200)
    renewed = renew(server, grant, app)
    assert renewed["access_token"] != grant["access_token"]
    assert read(server, renewed)["openid"] == grant["openid"]
    assert read(server, grant)["errcode"] == 42001
    sim.advance(days * 86_400 - 14_201)
    assert "access_token" in renew(server, grant, app)
    sim.advance(1)
    assert renew(server, grant, app)["errcode"] == 42002


def test_refresh_is_refused(sim: WechatSimulator, server: Server) -> None:
    grant = granted(sim, server)
    assert renew(server, grant, refresh_token="")["errcode"] == 41003
    assert renew(server, grant, refresh_token="x")["errcode"] == 40030
    assert renew(server, grant, MOBILE)["errcode"] == 40030
    assert renew(server, grant, grant_type="x")["errcode"] == 40002
    sim.change_password("alice")
    assert renew(server, grant)["errcode"] == read(server, grant)["errcode"] == 42007


@pytest.mark.parametrize("path", [EXCHANGE, REFRESH, USER_INFO])
def test_minute_quota_is_the_documented_one(
    sim: WechatSimulator, server: Server, path: str
) -> None:
    grant, code = granted(sim, server), sim.oauth_code("alice", WEBSITE.app_id)
    sim.advance(60)
    for _ in range(50_000):
        sim.world.counters.count(path, WEBSITE.app_id, now=sim.now())
    ask = {
        EXCHANGE: lambda: exchange(server, code),
        REFRESH: lambda: renew(server, grant),
        USER_INFO: lambda: read(server, grant),
    }[path]
    assert ask()["errcode"] == 45011
    sim.advance(60)
    assert "errcode" not in ask()


def test_renewal_beyond_the_quota_renews_nothing(sim: WechatSimulator, server: Server) -> None:
    grant = granted(sim, server)
    sim.limit(REFRESH, per_minute=0)
    sim.advance(7100)
    assert renew(server, grant)["errcode"] == 45011
    sim.advance(100)
    assert read(server, grant)["errcode"] == 42001


def test_snapshot_is_nobody_and_another_one_each_time(sim: WechatSimulator, server: Server) -> None:
    grants = [granted(sim, server, ACCOUNT, is_snapshot=True) for _ in range(2)]
    assert [grant["is_snapshotuser"] for grant in grants] == [1, 1]
    openids = {grant["openid"] for grant in grants}
    assert len(openids) == 2
    assert sim.openid("alice", ACCOUNT.app_id) not in openids
    assert not any("unionid" in grant for grant in grants)


@pytest.mark.parametrize("app", [WEBSITE, MOBILE])
def test_only_official_accounts_have_snapshots(sim: WechatSimulator, app: SimulatedApp) -> None:
    with pytest.raises(SimulatorError, match="no official account"):
        sim.oauth_code("alice", app.app_id, is_snapshot=True)


def test_page_of_websites_offers_no_snapshot(sim: WechatSimulator) -> None:
    assert 'value="snapshot"' in get(page_url(sim, ACCOUNT)).text
    assert 'value="snapshot"' not in get(page_url(sim)).text
    assert 'value="twice"' in get(page_url(sim)).text
    how = {"_sim_user": "alice", "_sim_do": "allow", "_sim_way": "snapshot"}
    assert get(page_url(sim, **how)).status_code == 400


def test_snapshot_shows_nothing_of_the_person(sim: WechatSimulator, server: Server) -> None:
    alice = sim.user("alice")
    alice.nickname, alice.avatar_url = "Alice", "https://thirdwx.qlogo.cn/alice/132"
    told = read(server, granted(sim, server, ACCOUNT, is_snapshot=True))
    assert told["nickname"] != "Alice"
    assert told["headimgurl"] != alice.avatar_url
    assert "unionid" not in told


def test_blocked_person_is_refused(sim: WechatSimulator, server: Server) -> None:
    code = sim.oauth_code("alice", WEBSITE.app_id)
    sim.user("alice").blocked = True
    assert exchange(server, code)["errcode"] == 50002


# Pages

CALLBACK = "http://127.0.0.1:9/callback?a=1&b=<x>"


def page_url(sim: WechatSimulator, app: SimulatedApp = WEBSITE, **changes: str) -> str:
    path = "qrconnect" if app.kind == "website" else "oauth2/authorize"
    fields = {
        "appid": app.app_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "snsapi_login" if app.kind == "website" else "snsapi_userinfo",
        "state": "Abc123",
    } | changes
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    return f"{sim.base_url}/connect/{path}?{query}"


def get(url: str) -> requests.Response:
    return requests.get(url, allow_redirects=False, timeout=5)


@pytest.mark.parametrize("app", [ACCOUNT, WEBSITE])
def test_page_asks_and_sends_back(sim: WechatSimulator, server: Server, app: SimulatedApp) -> None:
    asked = get(page_url(sim, app))
    assert asked.status_code == 200
    assert "not WeChat" in asked.text
    assert "<x>" not in asked.text
    assert ('"#wechat_redirect"' in asked.text) is (app is ACCOUNT)
    allowed = get(page_url(sim, app, _sim_user="alice", _sim_do="allow"))
    assert allowed.status_code == 302
    location = urlsplit(allowed.headers["Location"])
    fields = parse_qs(location.query)
    assert (location.path, fields["a"], fields["state"]) == ("/callback", ["1"], ["Abc123"])
    assert exchange(server, fields["code"][0], app)["openid"] == sim.openid("alice", app.app_id)
    refused = get(page_url(sim, app, _sim_user="alice", _sim_do="refuse"))
    assert (refused.status_code, "Location" in refused.headers) == (200, False)


@pytest.mark.parametrize(
    ("path", "written"),
    [("/回调?到=家", "/%E5%9B%9E%E8%B0%83?%E5%88%B0=%E5%AE%B6"), ("/a b", "/a%20b")],
)
def test_way_back_is_written_as_headers_take_it(
    sim: WechatSimulator, path: str, written: str
) -> None:
    url = page_url(
        sim, redirect_uri=f"http://127.0.0.1:9{path}", _sim_user="alice", _sim_do="allow"
    )
    assert get(url).headers["Location"].startswith(f"http://127.0.0.1:9{written}")


def test_way_back_adds_no_header(sim: WechatSimulator) -> None:
    address = "http://127.0.0.1:9/a\r\nSet-Cookie: planted=1"
    answer = get(page_url(sim, redirect_uri=address, _sim_user="alice", _sim_do="allow"))
    assert "Set-Cookie" not in answer.headers
    assert "planted" in answer.headers["Location"]


def test_person_who_allows_all_is_not_asked(sim: WechatSimulator, server: Server) -> None:
    sim.approve_as("bob")
    for changes, name in [({}, "bob"), ({"_sim_do": "allow"}, "bob"), ({"_sim_user": "al"}, "al")]:
        location = get(page_url(sim, **changes)).headers["Location"]
        code = parse_qs(urlsplit(location).query)["code"][0]
        assert exchange(server, code)["openid"] == sim.openid(name, WEBSITE.app_id)
    sim.approve_as(None)
    assert get(page_url(sim)).status_code == 200


@pytest.mark.parametrize(("way", "codes"), [("twice", 1), ("two_codes", 2)])
def test_callback_comes_twice(sim: WechatSimulator, way: str, codes: int) -> None:
    page = get(page_url(sim, _sim_user="alice", _sim_do="allow", _sim_way=way)).text
    assert len(set(re.findall(r"code=(\w+)", page))) == codes
    assert len(re.findall(r"state=Abc123", page)) == 2


def test_way_that_there_is_not_and_person_of_no_name_are_refused(sim: WechatSimulator) -> None:
    for changes, says in [({"_sim_way": "thrice"}, "no way"), ({"_sim_user": ""}, "1 to 200")]:
        fields = {"_sim_user": "alice", "_sim_do": "allow"} | changes
        answer = get(page_url(sim, **fields))
        assert answer.status_code == 400
        assert says in answer.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"appid": ""}, "10012"),
        ({"appid": "wxnone"}, "no such appid"),
        ({"appid": APP.app_id}, "10005: the account is of another kind"),
        ({"appid": ACCOUNT.app_id}, "10005: the account is of another kind"),
        ({"redirect_uri": ""}, "10011"),
        ({"redirect_uri": "javascript:alert(1)"}, "10003"),
        ({"redirect_uri": "https://evil.example/callback"}, "10003"),
        ({"redirect_uri": "http://me@127.0.0.1/"}, "10003"),
        ({"redirect_uri": "http://[::1"}, "10003"),
        ({"redirect_uri": "ftp://127.0.0.1/callback"}, "10003"),
        ({"scope": ""}, "10010"),
        ({"scope": "snsapi_base"}, "10005"),
        ({"response_type": "token"}, "response_type"),
        ({"state": ""}, "10013"),
        ({"state": "a-b"}, "state"),
        ({"state": "a" * 129}, "state"),
        ({"colour": "red"}, "10005"),
    ],
)
def test_page_shows_what_is_wrong(sim: WechatSimulator, changes: dict[str, str], says: str) -> None:
    sim.approve_as("alice")
    answer = get(page_url(sim, **changes))
    assert answer.status_code == 200
    assert says in answer.text


@pytest.mark.parametrize("app", [WEBSITE, MOBILE])
def test_app_of_the_open_platform_has_no_page_of_official_accounts(
    sim: WechatSimulator, app: SimulatedApp
) -> None:
    assert "10016" in get(page_url(sim, ACCOUNT, appid=app.app_id)).text


@pytest.mark.parametrize(("app", "matters"), [(ACCOUNT, True), (WEBSITE, False)])
def test_order_of_parameters_matters_to_official_accounts(
    sim: WechatSimulator, app: SimulatedApp, matters: bool
) -> None:
    url = page_url(sim, app)
    base, _, query = url.partition("?")
    turned = "&".join(reversed(query.split("&")))
    assert ("10005" in get(f"{base}?{turned}").text) is matters
    assert "10005" not in get(url).text


@pytest.mark.parametrize("app", [ACCOUNT, WEBSITE])
def test_response_type_is_not_left_out(sim: WechatSimulator, app: SimulatedApp) -> None:
    assert "10005" in get(page_url(sim, app).replace("&response_type=code", "")).text


@pytest.mark.parametrize("app", [ACCOUNT, WEBSITE])
def test_address_that_is_not_percent_encoded_is_refused(
    sim: WechatSimulator, app: SimulatedApp
) -> None:
    url = page_url(sim, app).replace(quote(CALLBACK, safe=""), "http://127.0.0.1:9/callback")
    assert "not percent-encoded" in get(url).text


def test_slow_name_server_holds_up_nobody(
    sim: WechatSimulator, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(host: str) -> bool:
        return "access_token" in server.token()

    monkeypatch.setattr(authorization, "is_loopback", look_up)
    assert get(page_url(sim)).status_code == 200


def test_domain_of_an_app_is_exact_and_without_port(sim: WechatSimulator) -> None:
    app = SimulatedApp("wx00000000000000e3", "s", "website", callback_domain="a.example")
    sim.use_apps([*sim.apps, app])
    for uri, is_right in [
        ("https://a.example/callback", True),
        ("https://a.example:8443/callback", False),
        ("https://www.a.example/callback", False),
        ("http://127.0.0.1/callback", False),
    ]:
        page = get(page_url(sim, app, redirect_uri=uri)).text
        assert ("10003" not in page) is is_right, uri


def test_pages_are_read_only(sim: WechatSimulator) -> None:
    assert requests.post(page_url(sim), timeout=5).status_code == 405
