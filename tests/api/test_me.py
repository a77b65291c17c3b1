"""GET and PATCH me: what one sees of oneself, and what one may change."""

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.api.answers import check_refusal
from tests.phone import Phone
from wxauth.models import PhoneNumber, WechatIdentity, WechatProfile

XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}${7*7}"
EXT = {"level": 3, "tags": ["a", None, True, 1.5], "小明": {"🙂": ""}}
FIRST = {
    "nickname": "Zoé 小明 🙂",
    "avatar_url": "https://example.com/a.png",
    "gender": 2,
    "ext": EXT,
}


def patch(phone: Phone, body: Any) -> Any:
    return phone.client.patch("/api/me", json.dumps(body), content_type="application/json")


def test_me_after_a_registration(member: Phone) -> None:
    body = member.client.get("/api/me").json()
    (identity,) = body.pop("identities")
    assert identity.pop("last_login_at").endswith("Z")
    row = WechatIdentity.objects.get()
    assert identity == {"id": row.pk, "app": "default", "openid": member.openid}
    assert body == {
        "uid": member.uid,
        "nickname": "",
        "avatar_url": "",
        "gender": 0,
        "ext": {},
        "phone": None,
        "app": "default",
        "referrer": None,
    }


def test_me_knows_phone_referrer_and_all_identities(
    member: Phone, make_phone: Any, other_app: Any
) -> None:
    phone = make_phone("carol")
    phone.sign_in("register_simple", referrer=member.uid)
    phone.bind_phone()
    elsewhere = make_phone("carol", other_app)
    elsewhere.sign_in()
    body = elsewhere.client.get("/api/me").json()
    assert body["referrer"] == member.uid
    assert [identity["app"] for identity in body["identities"]] == ["default", "second"]
    number = PhoneNumber.objects.get().number
    assert body["phone"] == f"{number[:6]}****{number[-4:]}"
    assert number not in json.dumps(body)


@pytest.mark.parametrize("name", FIRST)
def test_only_what_is_sent_changes(member: Phone, name: str) -> None:
    assert patch(member, FIRST).status_code == 200
    other = {"nickname": "", "avatar_url": "", "gender": 0, "ext": {}}
    response = patch(member, {name: other[name]})
    assert response.status_code == 200
    expected = {**FIRST, name: other[name]}
    assert {key: response.json()[key] for key in FIRST} == expected
    assert {key: member.client.get("/api/me").json()[key] for key in FIRST} == expected


def test_empty_patch_changes_nothing(member: Phone) -> None:
    patch(member, FIRST)
    response = patch(member, {})
    assert {key: response.json()[key] for key in FIRST} == FIRST


def test_form_changes_the_same(member: Phone) -> None:
    form = "nickname=%E5%B0%8F&gender=1&ext=%7B%22a%22%3A1%7D"
    kind = "application/x-www-form-urlencoded"
    body = member.client.patch("/api/me", form, content_type=kind).json()
    assert (body["nickname"], body["gender"], body["ext"]) == ("小", 1, {"a": 1})


def test_one_bad_field_changes_none(member: Phone) -> None:
    patch(member, FIRST)
    body = check_refusal(patch(member, {"nickname": "new", "gender": 7}), 400, "invalid_input")
    assert list(body["fields"]) == ["gender"]
    assert WechatProfile.objects.get().nickname == FIRST["nickname"]


@pytest.mark.parametrize(
    "name", ["uid", "phone", "app", "identities", "referrer", "is_staff", "user", "consent_version"]
)
def test_what_one_may_not_change_is_left_alone(member: Phone, make_phone: Any, name: str) -> None:
    other = make_phone("carol")
    other.sign_in()
    before = member.client.get("/api/me").json()
    assert patch(member, {name: other.uid}).json() == before
    assert not get_user_model().objects.filter(is_staff=True).exists()


def test_nobody_sees_or_changes_somebody_else(member: Phone, make_phone: Any) -> None:
    other = make_phone("carol")
    other.sign_in()
    patch(member, FIRST)
    assert other.client.get("/api/me").json()["nickname"] == ""
    response = other.client.get(f"/api/me?uid={member.uid}")
    assert response.json()["uid"] == other.uid


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript://example.com/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "ftp://example.com/a.png",
        "ftps://example.com/a.png",
        "file:///etc/passwd",
        "wxfile://tmp_a.png",
        "http://tmp/a.png\nX: y",
        "//example.com/a.png",
        "https:example.com",
        "https://",
        "https:///a.png",
        "example.com/a.png",
        " https://exa mple.com",
        "https://example.com/\u202egnp.a x",
        "http://[::1",
        f"https://example.com/{'a' * 1010}",
    ],
)
def test_avatar_that_is_no_web_address_is_refused(member: Phone, url: str) -> None:
    body = check_refusal(patch(member, {"avatar_url": url}), 400, "invalid_input")
    assert list(body["fields"]) == ["avatar_url"]
    assert WechatProfile.objects.get().avatar_url == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://thirdwx.qlogo.cn/mmopen/vi_32/x/132",
        "http://example.com:8080/a?b=c#d",
        "https://例子.中国/头像.png",
        "HTTPS://EXAMPLE.COM/A.PNG",
    ],
)
def test_avatar_that_is_a_web_address_is_kept(member: Phone, url: str) -> None:
    assert patch(member, {"avatar_url": url}).json()["avatar_url"] == url


def test_markup_is_kept_and_given_back_as_text(member: Phone) -> None:
    response = patch(member, {"nickname": XSS, "ext": {"a": XSS}})
    assert response.json()["nickname"] == XSS
    assert response["Content-Type"] == "application/json"
    profile = WechatProfile.objects.get()
    assert (profile.nickname, profile.ext) == (XSS, {"a": XSS})


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth > 1 else {}


GOOD_EXT = [{}, {"": ""}, nested(15), {"a": "x" * 16_000}, {"n": 2**53 - 1, "m": -(2**53) + 1}]
BAD_EXT = [nested(17), {"a": "x" * 16_400}, {"n": 2**53}, {"a": {"\x00": 1}}, {"a": ["\ud83d"]}]


@pytest.mark.parametrize("ext", GOOD_EXT, ids=lambda ext: str(ext)[:20])
def test_ext_comes_back_as_it_was_sent(member: Phone, ext: Any) -> None:
    assert patch(member, {"ext": ext}).json()["ext"] == ext


@pytest.mark.parametrize("ext", BAD_EXT, ids=lambda ext: ascii(ext)[:20])
def test_ext_that_not_every_database_keeps_is_refused(member: Phone, ext: Any) -> None:
    check_refusal(patch(member, {"ext": ext}), 400, "invalid_input")
    assert WechatProfile.objects.get().ext == {}


def test_nothing_secret_is_in_me(member: Phone) -> None:
    member.bind_phone()
    text = member.client.get("/api/me").content.decode()
    simulator, app = member.simulator, member.app
    for secret in (
        app.app_secret,
        app.app_id,
        simulator.session_key(member.name, app.app_id),
        simulator.unionid(member.name, "main"),
        simulator.access_token(app.app_id),
        simulator.user(member.name).phone_number,
        member.tokens["access"],
    ):
        assert secret not in text
    for name in ("unionid", "session", "secret", "token", "password", "union"):
        assert name not in text


def test_number_of_queries_does_not_grow(
    member: Phone, make_phone: Any, other_app: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(5):
        member.client.get("/api/me")
    member.bind_phone()
    make_phone("bob", other_app).sign_in()
    user = get_user_model().objects.get()
    for number in range(20):
        WechatIdentity.objects.create(user=user, app_id=f"wx{number}", openid=f"o{number}")
    with django_assert_num_queries(5):
        body = member.client.get("/api/me").json()
    assert len(body["identities"]) == 22


def test_user_whom_somebody_else_has_made_sees_an_empty_profile(member: Phone) -> None:
    WechatProfile.objects.all().delete()
    body = member.client.get("/api/me").json()
    assert (body["nickname"], body["ext"], body["app"]) == ("", {}, None)
    assert patch(member, {"nickname": "new"}).json()["nickname"] == "new"


@pytest.mark.parametrize("method", ["get", "patch"])
def test_me_needs_a_token(api: Any, db: None, method: str) -> None:
    body = check_refusal(getattr(api, method)("/api/me"), 401, "not_authenticated")
    assert body["action"] == "login_again"
