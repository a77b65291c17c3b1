"""The unmodified npm package ``apifm-wxapi``, in several versions, against a live server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.apifactory.client import VERSIONS
from tests.apifactory.conftest import SUB, Shopper
from tests.documents import block
from wxauth.models import LoginSession, PhoneNumber, Referral, WechatIdentity

pytestmark = [
    pytest.mark.crowd,
    pytest.mark.standard_user,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("apifm-wxapi"),
]

User = get_user_model()
GUIDE = "docs/apifactory.md"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)

# The calls that not every version has, and the first of ours that has them.
SINCE = {
    "authorize": "3.68.1",
    "loginWxaMobile": "3.68.1",
    "loginWxaMobileV2": "3.68.1",
    "loginWxaMobileV3": "3.68.1",
    "loginWxV2": "3.68.1",
    "bindMobileWxapp": "3.68.1",
    "bindMobileWxappV2": "3.68.1",
    "fetchWxaMobile": "3.68.1",
    "checkReferrer": "3.68.1",
    "userDelete": "3.68.1",
    "bindOpenidV2": "3.68.1",
    "bindSeller": "3.68.1",
    "wxappServiceAuthorize": "3.68.1",
    "loginMobileSmsCode": "3.68.1",
    "smsValidateCodeByToken": "3.68.1",
    "queryConfigBatch": "2.6.0",
}
# What the newest version sends to hosts of the vendor when only init2 was called.
HARD_WIRED = {"userDetail", "loginout", "userDelete", "modifyUserInfoV2"}


def versions_with(*calls: str) -> list[str]:
    """Return the versions that have all of these calls."""
    order = list(VERSIONS)
    first = max(order.index(SINCE.get(call, "2.6.0")) for call in ("login_wx", *calls))
    return order[first:]


@pytest.fixture
def request_script(tmp_path: Path, base: str) -> Path:
    """The function of the guide, for our server."""
    source = block(GUIDE, "js request.js")
    assert source.count("https://shop.example.com") == 1
    assert f'"{SUB}"' in source
    script = tmp_path / "request.js"
    script.write_text(source.replace("https://shop.example.com", base))
    return script


@pytest.fixture
def shopper(make_shopper: Any, request: pytest.FixtureRequest, request_script: Path) -> Shopper:
    """Alice's phone with the version of the test; the newest with the function of the guide."""
    version = request.param
    return make_shopper(version, script=request_script if version == "newest" else None)


def each(*calls: str) -> Any:
    """Run the test with each version that has these calls."""
    return pytest.mark.parametrize("shopper", versions_with(*calls), indirect=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_versions_have_the_calls_that_the_tests_think(make_shopper: Any, version: str) -> None:
    shopper = make_shopper(version)
    for call in SINCE:
        answer = shopper(call)
        is_there = not (isinstance(answer, dict) and "missing" in answer)
        assert is_there is (version in versions_with(call)), call


@each()
def test_registers_with_a_referrer_and_signs_in(shopper: Shopper, make_shopper: Any) -> None:
    inviter = make_shopper("24.12.19", "carol").sign_in()["uid"]
    shopper.wechat.user("alice").nickname = "小红"
    unknown = shopper("login_wx", shopper.code())
    assert unknown["code"] == 10000
    assert unknown["msg"] == "您尚未注册。"
    fields = {"code": shopper.code(), **shopper.profile(), "referrer": str(inviter)}
    assert shopper("register_complex", fields) == {"code": 0, "msg": "success"}
    again = {"code": shopper.code(), **shopper.profile(), "referrer": ""}
    assert shopper("register_complex", again)["code"] == 10000
    known = shopper("login_wx", shopper.code())
    assert known["code"] == 0
    data = known["data"]
    assert isinstance(data["uid"], int)
    assert data["openid"] == shopper.wechat.openid("alice", shopper.app.app_id)
    assert data["mobile"] == ""
    assert shopper("checkToken", data["token"]) == {"code": 0, "msg": "success"}
    detail = shopper("userDetail", data["token"])["data"]
    assert detail["base"]["id"] == data["uid"]
    assert detail["base"]["nick"] == "小红"
    assert detail["referrer"]["id"] == inviter
    assert Referral.objects.get(referee_id=data["uid"]).referrer_id == inviter


@each()
def test_registers_simply_whatever_the_referrer_is(shopper: Shopper) -> None:
    for name, referrer in enumerate(["", None, "undefined", "9" * 40, "not-a-number", "-1"]):
        shopper.name = f"person-{name}"
        fields = {"code": shopper.code(), "referrer": referrer}
        assert shopper("register_simple", fields) == {"code": 0, "msg": "success"}, referrer
        assert shopper("login_wx", shopper.code())["code"] == 0
    assert not Referral.objects.exists()


@each("authorize")
def test_authorizes_many_times_at_once_as_one_user(shopper: Shopper) -> None:
    calls = [("authorize", {"code": shopper.code(), "referrer": ""}) for _ in range(8)]
    answers = shopper.client.at_once(*calls)
    assert [answer["code"] for answer in answers] == [0] * 8
    assert len({answer["data"]["uid"] for answer in answers}) == 1
    assert len({answer["data"]["token"] for answer in answers}) == 8
    assert User.objects.count() == WechatIdentity.objects.count() == 1


@each()
def test_token_that_is_not_good_is_2000(shopper: Shopper) -> None:
    for token in ["", None, "undefined", "rubbish", "a.b.c"]:
        for call in ("checkToken", "userDetail", "userWxinfo"):
            answer = shopper(call, token)
            assert answer["code"] == 2000, (call, token)
            assert set(answer) == {"code", "msg"}


@each("authorize")
def test_sign_out_ends_this_token_only(shopper: Shopper) -> None:
    first, second = shopper.sign_in()["token"], shopper.sign_in()["token"]
    assert shopper("loginout", first)["code"] == 0
    assert shopper("checkToken", first)["code"] == 2000
    assert shopper("checkToken", second)["code"] == 0


@each("authorize")
def test_binds_the_number_in_encrypted_data(shopper: Shopper) -> None:
    token, button = shopper.sign_in()["token"], shopper.button()
    answer = shopper("bindMobileWxa", token, button["encryptedData"], button["iv"])
    assert answer == {"code": 0, "msg": "success", "data": button["purePhoneNumber"]}
    assert shopper("userDetail", token)["data"]["base"]["mobile"] == button["purePhoneNumber"]
    replayed = shopper("bindMobileWxa", token, button["encryptedData"], button["iv"])
    assert replayed["code"] not in {0, 700, 2000, 10000}


@each("authorize", "bindMobileWxapp")
def test_binds_the_number_in_encrypted_data_with_a_code(shopper: Shopper) -> None:
    token, code = shopper.sign_in()["token"], shopper.code()
    button = shopper.button()
    answer = shopper("bindMobileWxapp", token, code, button["encryptedData"], button["iv"])
    assert answer["data"] == button["purePhoneNumber"]


@each("authorize", "bindMobileWxappV2")
def test_binds_the_number_of_the_button(shopper: Shopper) -> None:
    token, button = shopper.sign_in()["token"], shopper.button()
    answer = shopper("bindMobileWxappV2", token, button["code"])
    assert answer == {"code": 0, "msg": "success", "data": button["purePhoneNumber"]}
    assert PhoneNumber.objects.get().number == f"+86{button['purePhoneNumber']}"


@each("authorize", "bindMobileWxappV2")
def test_number_of_somebody_else_is_not_bound(shopper: Shopper, make_shopper: Any) -> None:
    stranger = make_shopper("24.12.19", "mallory")
    token = stranger.sign_in()["token"]
    shopper.sign_in()
    answer = stranger("bindMobileWxappV2", token, shopper.button()["code"])
    assert answer["code"] not in {0, 700, 2000, 10000}
    assert not PhoneNumber.objects.exists()


@each("loginWxaMobileV2")
def test_signs_in_by_the_number_in_encrypted_data(shopper: Shopper) -> None:
    shopper.code()
    button = shopper.button()
    code = shopper.code()
    button = shopper.button()
    fields = {"code": code, "encryptedData": button["encryptedData"], "iv": button["iv"]}
    assert shopper("loginWxaMobileV2", fields)["code"] == 10000
    code = shopper.code()
    button = shopper.button()
    fields = {"code": code, "encryptedData": button["encryptedData"], "iv": button["iv"]}
    answer = shopper("loginWxaMobileV2", {**fields, "autoReg": True})
    assert answer["code"] == 0, answer
    assert answer["data"]["mobile"] == button["purePhoneNumber"]
    code = shopper.code()
    button = shopper.button()
    known = shopper("loginWxaMobile", code, button["encryptedData"], button["iv"])
    assert known["data"]["uid"] == answer["data"]["uid"]


@each("loginWxaMobileV3")
def test_signs_in_by_the_phone_button(shopper: Shopper) -> None:
    fields = {"code": shopper.code(), "codeMobile": shopper.button()["code"]}
    assert shopper("loginWxaMobileV3", fields)["code"] == 10000
    button = shopper.button()
    fields = {"code": shopper.code(), "codeMobile": button["code"], "autoReg": True}
    answer = shopper("loginWxaMobileV3", {**fields, "referrer": "undefined"})
    assert set(answer["data"]) == {"token", "uid", "openid", "mobile"}
    assert answer["data"]["mobile"] == button["purePhoneNumber"]


@each("fetchWxaMobile")
def test_reads_the_number_of_a_button(shopper: Shopper) -> None:
    button = shopper.button()
    assert shopper("fetchWxaMobile", button["code"])["data"] == button["purePhoneNumber"]
    assert shopper("fetchWxaMobile", button["code"])["code"] == 40029


@each("loginWxV2")
def test_signs_in_to_the_mini_program_that_is_named(shopper: Shopper) -> None:
    shopper.sign_in()
    assert shopper("loginWxV2", shopper.code(), shopper.app.app_id)["code"] == 0
    assert shopper("loginWxV2", shopper.code(), "wxnobodyknows")["code"] == 404


@each("authorize")
def test_profile_changes_only_where_it_is_told_to(shopper: Shopper) -> None:
    token = shopper.sign_in()["token"]
    calls = ["modifyUserInfo"]
    if "missing" not in shopper("modifyUserInfoV2"):
        calls.append("modifyUserInfoV2")
    for call in calls:
        changes = {"token": token, "nick": "小明 🐟", "gender": 1, "province": "浙江"}
        assert shopper(call, changes)["code"] == 0
        more = {"token": token, "avatarUrl": "https://a.example/1.png", "nick": None}
        assert shopper(call, {**more, "extJsonStr": '{"size": "XL"}'})["code"] == 0
        detail = shopper("userDetail", token)["data"]
        base = detail["base"]
        assert (base["nick"], base["gender"]) == ("小明 🐟", 1)
        assert (base["avatarUrl"], base["province"]) == ("https://a.example/1.png", "浙江")
        assert detail["ext"] == {"size": "XL"}


@each("authorize")
def test_who_the_person_is_to_wechat(shopper: Shopper) -> None:
    signed_in = shopper.sign_in()
    told = shopper("userWxinfo", signed_in["token"])["data"]
    assert told["openid"] == signed_in["openid"]
    assert told["uid"] == signed_in["uid"]


@each("checkReferrer")
def test_referrer_is_somebody_or_700(shopper: Shopper) -> None:
    uid = shopper.sign_in()["uid"]
    assert shopper("checkReferrer", str(uid))["code"] == 0
    for referrer in ["0", "9" * 40, "nobody", "-1"]:
        assert shopper("checkReferrer", referrer)["code"] == 700, referrer


@each("userDelete")
def test_deletion_is_for_good(shopper: Shopper) -> None:
    token, other = shopper.sign_in()["token"], shopper.sign_in()["token"]
    assert shopper("userDelete", token)["code"] == 0
    assert [shopper("checkToken", each)["code"] for each in (token, other)] == [2000, 2000]
    assert shopper("login_wx", shopper.code())["code"] == 10000
    assert not WechatIdentity.objects.exists()


@each("bindOpenidV2", "loginMobileSmsCode")
def test_text_message_makes_an_account_and_wechat_joins_it(shopper: Shopper, outbox: Path) -> None:
    mobile = "13800138000"
    assert shopper("smsValidateCode", mobile)["code"] == 0
    fields = {"mobile": mobile, "code": last_code(outbox), "autoReg": False}
    assert shopper("loginMobileSmsCode", fields)["code"] == 10000
    answer = shopper("loginMobileSmsCode", {**fields, "autoReg": True})
    assert answer["data"]["mobile"] == mobile
    token = answer["data"]["token"]
    assert shopper("bindOpenid", token, shopper.code())["code"] == 0
    assert shopper("bindOpenidV2", token, shopper.code(), shopper.app.app_id)["code"] == 0
    assert shopper("login_wx", shopper.code())["data"]["uid"] == answer["data"]["uid"]


@each("authorize")
def test_password_of_a_number(shopper: Shopper, outbox: Path) -> None:
    mobile = "13800138001"
    shopper("smsValidateCode", mobile)
    fields = {"mobile": mobile, "code": last_code(outbox), "pwd": "correct horse 7"}
    answer = shopper("register_mobile", {**fields, "autoLogin": True, "nick": "Ann"})
    assert answer["code"] == 0, answer
    token = answer["data"]["token"]
    assert shopper("login_mobile", mobile, "wrong")["code"] == 11300
    assert shopper("modifyUserPassword", token, "correct horse 7", "battery staple 8")["code"] == 0
    known = shopper("login_mobile", mobile, "battery staple 8")
    assert known["data"]["uid"] == answer["data"]["uid"]


@each()
def test_data_of_encrypted_data_for_who_holds_the_code(shopper: Shopper) -> None:
    code, data = shopper.code(), shopper.profile()
    told = shopper("encryptedData", code, data["encryptedData"], data["iv"])["data"]
    assert told["nickName"]
    assert "session_key" not in json.dumps(told)


@each()
def test_tampered_data_is_refused_before_the_account_is_made(shopper: Shopper) -> None:
    code, data = shopper.code(), shopper.profile()
    tampered = {**data, "encryptedData": "A" * len(data["encryptedData"])}
    answer = shopper("register_complex", {"code": code, **tampered, "referrer": ""})
    assert answer["code"] not in {0, 700, 2000, 10000}
    assert not User.objects.exists()


@each()
def test_code_that_wechat_refuses_is_never_10000(shopper: Shopper) -> None:
    used = shopper.code()
    shopper("login_wx", used)
    for code in [used, "rubbish", "", None]:
        assert shopper("login_wx", code)["code"] not in {0, 700, 2000, 10000}, code


@each("wxappServiceAuthorize")
def test_calls_of_a_third_party_platform_are_the_same_calls(shopper: Shopper) -> None:
    service = {"componentAppid": "wxcomponent", "appid": shopper.app.app_id}
    assert shopper("wxappServiceLogin", {**service, "code": shopper.code()})["code"] == 10000
    answer = shopper("wxappServiceAuthorize", {**service, "code": shopper.code()})
    token = answer["data"]["token"]
    button = shopper.button()
    bound = {"token": token, "encryptedData": button["encryptedData"], "iv": button["iv"]}
    assert shopper("wxappServiceBindMobile", bound)["data"] == button["purePhoneNumber"]
    known = shopper("wxappServiceLogin", {**service, "code": shopper.code(), "autoReg": True})
    assert known["data"]["uid"] == answer["data"]["uid"]


@each("bindSeller")
def test_seller_and_configuration(shopper: Shopper) -> None:
    token = shopper.sign_in()["token"]
    assert shopper("bindSeller", {"token": token, "uid": "7"})["code"] == 0
    values = shopper("queryConfigBatch", "mallName,unknown")
    assert values["data"] == [{"key": "mallName", "value": "wxauth demo"}]


@each("authorize")
def test_avatar_is_uploaded(shopper: Shopper, tmp_path: Path) -> None:
    picture = tmp_path / "me.png"
    picture.write_bytes(PIXEL)
    token = shopper.sign_in()["token"]
    answer = shopper("uploadFile", token, str(picture))
    assert answer["code"] == 0, answer
    assert answer["data"]["url"].startswith("http://127.0.0.1:")
    picture.write_bytes(b"<script>alert(1)</script>")
    assert shopper("uploadFile", token, str(picture))["code"] == 11400


def test_newest_version_with_init2_alone_leaves_for_the_vendor(make_shopper: Any) -> None:
    shopper = make_shopper("newest")
    token = shopper.sign_in()["token"]
    assert all(call.split()[1].startswith("/") for call in shopper.client.sent)
    for call in sorted(HARD_WIRED):
        answer = shopper(call, {"token": token} if call == "modifyUserInfoV2" else token)
        assert "failed" in answer, call
        assert "https://" in shopper.client.sent[0], call


def test_wrapper_of_the_guide_catches_uploads_too(
    make_shopper: Any, base: str, tmp_path: Path
) -> None:
    source = block(GUIDE, "js wrapper.js")
    script = tmp_path / "wrapper.js"
    script.write_text(source.replace("https://shop.example.com", base))
    shopper = make_shopper("newest", script=script)
    shopper("init", SUB)
    picture = tmp_path / "me.png"
    picture.write_bytes(PIXEL)
    token = shopper.sign_in()["token"]
    assert shopper("userDetail", token)["code"] == 0
    assert shopper("uploadFileV2", token, str(picture))["code"] == 0
    assert shopper.client.sent == ["POST /upload2"]


def test_sessions_last_as_long_as_the_setting(make_shopper: Callable[..., Shopper]) -> None:
    make_shopper("24.12.19").sign_in()
    session = LoginSession.objects.get()
    assert (session.expires_at - session.created_at).days == 90


def last_code(outbox: Path) -> str:
    return json.loads(outbox.read_text().splitlines()[-1])["sms_code"]
