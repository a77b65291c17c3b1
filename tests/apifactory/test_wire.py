"""The wire rules: how parameters travel, and one envelope around everything."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.documents import table
from wxauth import exceptions, services, tokens
from wxauth.apifactory import people
from wxauth.apifactory.base import fail
from wxauth.apifactory.codes import DONE, INTERNAL, NO_DATA, NUMBERS, SPECIAL, TOKEN_INVALID
from wxauth.apifactory.urls import CALLS
from wxauth.conf import WechatApp
from wxauth.models import LoginSession, WechatIdentity, WechatProfile
from wxauth.rest.failures import FOREIGN, TOO_LARGE
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

User = get_user_model()
FORM = "application/x-www-form-urlencoded"
RESERVED = {DONE, NO_DATA, TOKEN_INVALID, SPECIAL}
TEXT_CALLS = sorted(set(CALLS) - {"verification/pic/get", "dfs/upload/file"})


class App:
    """An app's requests, as its package writes them."""

    def __init__(self, sub: str = "tz") -> None:
        self.base = f"/mall/{sub}"
        self.client = Client()

    def get(self, call: str, **fields: Any) -> Any:
        return self.read(self.client.get(f"{self.base}/{call}?{encode(fields)}"))

    def post(self, call: str, **fields: Any) -> Any:
        return self.read(self.client.post(f"{self.base}/{call}", encode(fields), FORM))

    def raw(self, method: str, call: str, body: bytes = b"", kind: str = FORM, **more: Any) -> Any:
        return self.read(self.client.generic(method, f"{self.base}/{call}", body, kind, **more))

    @staticmethod
    def read(response: Any) -> Any:
        assert response.status_code == 200, response.content
        assert response["Content-Type"] == "application/json"
        assert "no-store" in response["Cache-Control"]
        body = json.loads(response.content)
        assert type(body["code"]) is int
        assert body["msg"]
        assert set(body) <= {"code", "msg", "data"}
        return body


def encode(fields: dict[str, Any]) -> str:
    return urlencode({k: str(v) for k, v in fields.items()}, quote_via=quote)


@pytest.fixture
def shop() -> App:
    return App()


@pytest.fixture
def code(wechat_simulator: WechatSimulator, app: WechatApp) -> Any:
    return lambda name="alice": wechat_simulator.login(name, app.app_id)


@pytest.fixture
def token(shop: App, code: Any) -> str:
    return shop.post("user/wxapp/authorize", code=code(), referrer="")["data"]["token"]


# Numbers


def all_codes() -> set[str]:
    kinds = {v.code for v in vars(exceptions).values() if isinstance(v, type)}
    return kinds | {row[0] for _, row in FOREIGN} | {TOO_LARGE[0]}


# What the calls of this door never meet: tickets, merges and pages are other doors'.
ELSEWHERE = {
    "error",
    "state_invalid",
    "authorization_refused",
    "return_refused",
    "scan_invalid",
    "scan_taken",
    "ticket_invalid",
    "last_sign_in_method",
    "merge_proof_invalid",
    "merge_refused",
    "merge_running",
}


def test_every_error_has_its_number() -> None:
    assert set(NUMBERS) | ELSEWHERE == all_codes()
    assert not set(NUMBERS) & ELSEWHERE


def test_numbers_that_clients_act_on_mean_what_they_mean() -> None:
    acted_on = {code: number for code, number in NUMBERS.items() if number in RESERVED}
    assert acted_on == {
        "not_registered": 10000,
        "already_registered": 10000,
        "token_invalid": 2000,
        "not_authenticated": 2000,
        "referrer_unknown": 700,
    }


def test_guide_has_the_numbers() -> None:
    rows = table("docs/apifactory-codes.md", "number")
    assert [(row["error"].strip("`"), int(row["number"])) for row in rows] == list(NUMBERS.items())


def test_error_without_a_number_is_internal() -> None:
    assert json.loads(json.dumps(fail(exceptions.MergeRefused(), {}).data))["code"] == INTERNAL


# Parameters


def test_everything_works_by_get_too(shop: App, code: Any) -> None:
    assert shop.get("user/wxapp/login", code=code())["code"] == 10000
    assert shop.get("user/wxapp/register/simple", code=code())["code"] == 0
    assert shop.get("user/wxapp/login", code=code(), type=2)["code"] == 0


@pytest.mark.parametrize("word", ["", "undefined", "null"])
def test_words_for_nothing_are_nothing(shop: App, code: Any, word: str) -> None:
    body = shop.post(
        "user/wxapp/authorize", code=code(), referrer=word, postJsonString=word, appid=word
    )
    assert body["code"] == 0
    assert WechatProfile.objects.get().ext == {}
    assert shop.post("user/wxapp/login", code=word)["code"] == 300
    assert shop.get("user/check-token", token=word)["code"] == 2000


def test_value_is_decoded_once(shop: App, token: str) -> None:
    assert shop.post("user/modify", token=token, nick="100%25 + %2B")["code"] == 0
    assert WechatProfile.objects.get().nickname == "100%25 + %2B"


def test_form_goes_before_the_query(shop: App, token: str) -> None:
    answer = shop.raw("POST", f"user/modify?token={token}&nick=query", b"nick=form")
    assert answer["code"] == 0
    assert WechatProfile.objects.get().nickname == "form"


def test_sub_domain_chooses_the_app(
    settings: Any, wechat_simulator: WechatSimulator, other_app: WechatApp, code: Any
) -> None:
    settings.WXAUTH_APIFACTORY_APPS = {"cafe": other_app.alias}
    cafe = App("cafe")
    assert cafe.post("user/wxapp/authorize", code=code())["code"] == 40029
    there = wechat_simulator.login("alice", other_app.app_id)
    assert cafe.post("user/wxapp/authorize", code=there)["code"] == 0
    assert WechatIdentity.objects.get().app_id == other_app.app_id
    settings.WXAUTH_APIFACTORY_APPS = {"cafe": "gone"}
    assert cafe.post("user/wxapp/login", code=code())["code"] == 404


# The envelope


@pytest.mark.parametrize("call", TEXT_CALLS)
def test_call_without_parameters_is_an_answer(shop: App, call: str) -> None:
    for answer in (shop.get(call), shop.post(call)):
        assert answer["code"] not in {INTERNAL, 10000}


@pytest.mark.parametrize("call", TEXT_CALLS)
def test_rubbish_is_an_answer(shop: App, call: str, token: str) -> None:
    names = ["code", "encryptedData", "iv", "referrer", "mobile", "pwd", "uid", "key", "nick"]
    for value in ["\x00", "\ud83d\ude00" * 9, "a" * 20_000, "9" * 5000, '{"a":' * 99, "-1", "𝟙"]:
        fields = {name: value.encode("utf-16", "surrogatepass").decode("utf-16") for name in names}
        answer = shop.post(call, token=token, **fields)
        assert answer["code"] != INTERNAL, (call, value[:9])


@pytest.mark.parametrize("call", TEXT_CALLS)
def test_broken_bodies_are_answers(shop: App, call: str) -> None:
    assert shop.raw("POST", call, b"code=%ff%fe")["code"] == 301
    assert shop.raw("POST", call, b"code=1&code=2")["code"] == 301
    assert shop.raw("POST", call, b"a=" + b"b" * 70_000)["code"] == 302
    assert shop.raw("POST", call, b"<code/>", "text/xml")["code"] == 303
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert shop.raw(method, call)["code"] == 405


@pytest.mark.parametrize(
    "call", ["user/nothing", "user/", "verification/x/y", "config/nothing", "dfs/z"]
)
def test_unknown_call_is_an_answer(shop: App, call: str) -> None:
    assert shop.get(call)["code"] == shop.post(call)["code"] == 404


@pytest.mark.parametrize(
    "call", ["user/username/login", "user/email/register", "verification/mail/get", "user/tt/x"]
)
def test_call_that_is_left_out_says_so(shop: App, call: str) -> None:
    answer = shop.post(call)
    assert answer["code"] == 11500
    assert answer["msg"] == "这里不提供此功能。"


def test_call_that_nobody_has_written_is_an_answer_below_our_prefix(shop: App) -> None:
    assert shop.get("shop/goods/list", page=1)["code"] == 404
    assert shop.post("order/create", token="x")["code"] == 404


class TestRoot:
    """At the root of a site, after its own pages."""

    @pytest.fixture(autouse=True)
    def _at_the_root(self, settings: Any) -> None:
        settings.ROOT_URLCONF = "tests.apifactory.root_urls"

    def test_calls_are_answered(self, client: Client) -> None:
        for headers in (
            {"Content-Type": FORM},
            {"Referer": "https://servicewechat.com/wx1/2/page-frame.html"},
        ):
            assert App.read(client.get("/tz/user/check-token", headers=headers))["code"] == 2000
            assert App.read(client.get("/tz/shop/goods/list", headers=headers))["code"] == 404
        assert App.read(client.post("/tz/order/list", "a=b", FORM))["code"] == 404

    def test_pages_of_the_site_are_its_own(self, client: Client) -> None:
        assert client.get("/page/one/").content == b"one"
        assert client.get("/page/one?a=1")["Location"] == "/page/one/?a=1"
        for path in ("/page/two", "/page/two/", "/about", "/", "/tz/goods/list/"):
            assert client.get(path).status_code == 404
        assert client.post("/page/two", "{}", "application/json").status_code == 404

    def test_slashes_are_added_only_where_the_site_does(
        self, client: Client, settings: Any
    ) -> None:
        settings.APPEND_SLASH = False
        assert client.get("/page/one").status_code == 404


def test_fault_of_ours_is_an_answer_without_its_text(
    shop: App, token: str, monkeypatch: Any, caplog: Any
) -> None:
    def fail_now(**_: Any) -> None:
        raise RuntimeError("the secret of it")

    monkeypatch.setattr(people.services, "read_me", fail_now)
    answer = shop.get("user/detail", token=token)
    assert answer == {"code": -1, "msg": "系统出错了，请稍后再试。"}
    assert "a call failed" in caplog.text


def test_database_that_does_not_answer_is_an_answer(
    shop: App, token: str, monkeypatch: Any
) -> None:
    def fail_now(**_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(people.services, "read_me", fail_now)
    assert shop.get("user/detail", token=token)["code"] == 503


def test_limit_is_an_answer(shop: App, code: Any, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"person": "2/min"}
    codes = [shop.post("user/wxapp/login", code=code())["code"] for _ in range(3)]
    assert codes == [10000, 10000, 429]


def test_wechat_that_does_not_answer_is_never_10000(
    shop: App, code: Any, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.stop()
    try:
        assert shop.post("user/wxapp/login", code="0" + "a" * 31)["code"] == 41104
    finally:
        wechat_simulator.start()


# Who may come in


def test_inactive_user_is_refused_by_every_call(shop: App, code: Any, token: str) -> None:
    User.objects.update(is_active=False)
    rows = LoginSession.objects.count()
    for call in ("login", "authorize"):
        assert shop.post(f"user/wxapp/{call}", code=code())["code"] == 11000
    assert shop.post("user/wxapp/register/simple", code=code())["code"] == 10000
    for call in ("check-token", "detail", "wxinfo"):
        assert shop.get(f"user/{call}", token=token)["code"] == 2000
    assert LoginSession.objects.count() == rows


def test_what_a_client_says_it_is_does_not_count(shop: App, code: Any) -> None:
    body = shop.post(
        "user/wxapp/authorize", code=code(), openid="oAnother", unionid="uAnother", session_key="k"
    )
    assert WechatIdentity.objects.get().openid == body["data"]["openid"] != "oAnother"


def test_self_and_late_referrers_change_nothing(shop: App, code: Any) -> None:
    first = shop.post("user/wxapp/authorize", code=code("carol"))["data"]["uid"]
    own = shop.post("user/wxapp/authorize", code=code())["data"]
    again = shop.post("user/wxapp/authorize", code=code(), referrer=str(first))
    assert again["data"]["uid"] == own["uid"]
    assert services.read_inviter(user=services.find_referrer(own["uid"])) is None


def test_token_is_good_at_the_native_api_too(token: str) -> None:
    response = Client().get("/api/me", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200


def test_answers_hold_no_session_key(
    shop: App, code: Any, token: str, wechat_simulator: WechatSimulator, app: WechatApp
) -> None:
    key = wechat_simulator.session_key("alice", app.app_id)
    for call in ("detail", "wxinfo", "check-token"):
        assert key not in json.dumps(shop.get(f"user/{call}", token=token))
    assert key not in tokens.read_access(token).payload.values()


# What the project adds, and what it costs


def add_level(*, user: Any) -> dict[str, Any]:
    return {"userLevel": {"name": "gold", "of": str(user.pk)}}


def add_nothing(*, user: Any) -> dict[str, Any]:
    raise ZeroDivisionError


def test_project_adds_blocks(shop: App, token: str, settings: Any, caplog: Any) -> None:
    settings.WXAUTH_APIFACTORY_USER_DETAIL = f"{__name__}.add_level"
    data = shop.get("user/detail", token=token)["data"]
    assert data["userLevel"] == {"name": "gold", "of": str(User.objects.get().pk)}
    settings.WXAUTH_APIFACTORY_USER_DETAIL = f"{__name__}.add_nothing"
    assert "userLevel" not in shop.get("user/detail", token=token)["data"]
    assert "WXAUTH_APIFACTORY_USER_DETAIL failed" in caplog.text


def test_what_comes_with_a_registration_is_kept_or_ignored(shop: App, code: Any) -> None:
    shop.post("user/wxapp/authorize", code=code(), postJsonString='{"from": "poster"}')
    shop.post("user/wxapp/authorize", code=code("bob"), postJsonString="[1, 2")
    kept = WechatProfile.objects.order_by("pk").values_list("ext", flat=True)
    assert list(kept) == [{"from": "poster"}, {}]


def test_object_that_is_none_is_refused_later(shop: App, token: str) -> None:
    assert shop.post("user/modify", token=token, extJsonStr="[1, 2")["code"] == 300
    assert shop.post("user/modify", token=token, gender="7")["code"] == 300
    assert shop.post("user/modify", token=token, avatarUrl="javascript:alert(1)")["code"] == 300


def test_seller_is_told_by_a_signal(shop: App, code: Any, token: str) -> None:
    seller = shop.post("user/wxapp/authorize", code=code("carol"))["data"]["uid"]
    heard: list[Any] = []

    def hear(sender: Any, **arguments: Any) -> None:
        heard.append((arguments["user"].pk, arguments["seller"].pk))

    people.seller_claimed.connect(hear)
    try:
        for uid in (seller, "nobody", ""):
            assert shop.post("user/bindSeller", token=token, uid=uid)["code"] == 0
    finally:
        people.seller_claimed.disconnect(hear)
    assert [pair[1] for pair in heard] == [services.find_referrer(seller).pk]


@pytest.mark.standard_user  # others have numbers to look up
def test_costs(shop: App, code: Any, token: str, monkeypatch: Any) -> None:
    asked: list[str] = []
    for name in ("get", "set", "add", "incr", "delete"):
        original = getattr(caches["default"], name)
        monkeypatch.setattr(
            caches["default"],
            name,
            lambda *a, _o=original, _n=name, **k: (asked.append(_n), _o(*a, **k))[1],
        )
    assert statements(lambda: shop.get("user/check-token", token=token)) == 1
    assert asked == []
    # The native three, and the number.
    assert statements(lambda: shop.post("user/wxapp/login", code=code())) == 4
    # The session, and four reads.
    assert statements(lambda: shop.get("user/detail", token=token)) == 5


def statements(ask: Callable[[], Any]) -> int:
    """Return how many SQL statements it takes, without those that frame a transaction."""
    with CaptureQueriesContext(connection) as context:
        assert ask()["code"] == 0
    frames = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    return sum(not query["sql"].startswith(frames) for query in context.captured_queries)


def test_picture_code(shop: App) -> None:
    response = shop.client.get("/mall/tz/verification/pic/get?key=0.123")
    assert (response.status_code, response["Content-Type"]) == (200, "image/png")
    assert response.content.startswith(b"\x89PNG")
    assert shop.post("verification/pic/check", key="0.123", code="zzzz")["code"] == 11205
