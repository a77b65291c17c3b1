"""Who people are, and the profile that their phones show."""

import base64
import json
import re

import pytest
from Crypto.Cipher import AES

from tests.simulator.conftest import APP, SIBLING, UNBOUND
from wxauth.crypto import decrypt_open_data, raw_data_signature
from wxauth.simulator import SimulatedApp, SimulatorError, WechatSimulator

pytestmark = pytest.mark.static

IDS = re.compile(r"o[A-Za-z0-9_-]{27}")


def opened(sim, data, user="alice", app=APP):
    return decrypt_open_data(
        data["encryptedData"],
        data["iv"],
        session_key=sim.session_key(user, app.app_id),
        app_id=app.app_id,
    )


def test_ids_are_the_same_in_each_run(sim):
    other = WechatSimulator(apps=[APP])

    assert sim.openid("alice", APP.app_id) == other.openid("alice", APP.app_id)
    assert sim.unionid("alice", "main") == other.unionid("alice", "main")
    # Written down once: a change would make strangers of all people in a developer's database.
    assert sim.openid("alice", APP.app_id) == "o-rM__bTo2a25HwdLn57jmRRwIqX"
    assert sim.unionid("alice", "main") == "oeIAAr4GH2bbeg4m6QSllOxVFm0x"


def test_ids_look_like_wechats_and_tell_people_apart(sim):
    names = ["alice", "Alice", "小明", "a" * 200, "\ud83d", "alice "]
    ids = [sim.openid(name, app.app_id) for name in names for app in (APP, SIBLING)]
    ids += [sim.unionid(name, scope) for name in names for scope in ("main", "elsewhere")]

    assert len(set(ids)) == len(ids) == 24
    assert all(IDS.fullmatch(text) for text in ids)


@pytest.mark.parametrize("name", ["", "a" * 201])
def test_name_has_to_be_of_sensible_length(sim, name):
    with pytest.raises(SimulatorError, match="1 to 200"):
        sim.user(name)


def test_unknown_app_is_refused(sim):
    with pytest.raises(SimulatorError, match="no app 'wxunknown'"):
        sim.login("alice", "wxunknown")


def test_profile_is_anonymous_unless_set(sim):
    profile = json.loads(sim.userinfo("alice", APP.app_id)["rawData"])

    assert profile.pop("nickName") == "微信用户"
    assert profile.pop("avatarUrl").startswith("https://thirdwx.qlogo.cn/")
    assert profile.pop("language") == "zh_CN"
    assert profile == {"gender": 0, "city": "", "province": "", "country": ""}


@pytest.mark.parametrize("api", ["getUserInfo", "getUserProfile"])
def test_profile_that_was_set_is_shown_by_both_apis(sim, api):
    alice = sim.user("alice")
    alice.nickname, alice.avatar_url, alice.gender = "小明🙂é", "https://example.com/a/0", 1
    data = sim.userinfo("alice", APP.app_id, api=api)

    shown = json.loads(data["rawData"])
    assert (shown["nickName"], shown["avatarUrl"], shown["gender"]) == (
        "小明🙂é",
        "https://example.com/a/0",
        1,
    )
    assert shown.items() <= opened(sim, data).items()


def test_get_user_info_has_the_ids_inside(sim):
    inside = opened(sim, sim.userinfo("alice", APP.app_id))

    assert inside["openId"] == sim.openid("alice", APP.app_id)
    assert inside["unionId"] == sim.unionid("alice", "main")
    assert inside["watermark"]["appid"] == APP.app_id
    assert inside["watermark"]["timestamp"] == sim.now()


def test_get_user_profile_has_no_ids_inside(sim):
    inside = opened(sim, sim.userinfo("alice", APP.app_id, api="getUserProfile"))

    assert not {"openId", "unionId"} & set(inside)


def test_ids_inside_can_be_chosen(sim):
    with_ids = sim.userinfo("alice", APP.app_id, api="getUserProfile", with_openid=True)
    without = sim.userinfo("alice", APP.app_id, with_openid=False)

    assert "openId" in opened(sim, with_ids)
    assert "openId" not in opened(sim, without)


def test_hidden_unionid_is_not_inside(sim):
    assert "unionId" not in opened(sim, sim.userinfo("alice", UNBOUND.app_id), app=UNBOUND)

    sim.user("alice").unionid_hidden = True
    assert "unionId" not in opened(sim, sim.userinfo("alice", APP.app_id))


def test_unknown_api_is_refused(sim):
    with pytest.raises(SimulatorError, match="getUserProfile"):
        sim.userinfo("alice", APP.app_id, api="getUser")


def test_raw_data_is_signed_with_the_current_key(sim):
    data = sim.userinfo("alice", APP.app_id)
    key = sim.session_key("alice", APP.app_id)

    assert data["signature"] == raw_data_signature(data["rawData"], key)


def test_data_is_stale_after_the_next_login(sim):
    data = sim.userinfo("alice", APP.app_id)
    sim.login("alice", APP.app_id)

    with pytest.raises(Exception, match="does not open"):
        opened(sim, data)


def test_watermark_follows_the_clock(sim):
    before = sim.now()
    sim.advance(3600)

    inside = opened(sim, sim.userinfo("alice", APP.app_id))
    assert inside["watermark"]["timestamp"] == before + 3600


def test_padding_is_to_16_bytes_and_each_iv_is_new(sim):
    one, two = (sim.userinfo("alice", APP.app_id) for _ in range(2))
    assert one["iv"] != two["iv"]

    for length in range(16):
        sim.user("alice").nickname = "x" * length
        data = sim.userinfo("alice", APP.app_id)
        cipher = AES.new(
            base64.b64decode(sim.session_key("alice", APP.app_id)),
            AES.MODE_CBC,
            base64.b64decode(data["iv"]),
        )
        padded = cipher.decrypt(base64.b64decode(data["encryptedData"]))
        assert 1 <= padded[-1] <= 16
        assert padded.endswith(b"}" + bytes([padded[-1]]) * padded[-1])


def test_control_characters_are_raw_and_half_emojis_escaped(sim):
    sim.user("alice").nickname = '\x14\n"\\u0014\ud83d'
    raw_data = sim.userinfo("alice", APP.app_id)["rawData"]

    assert '"nickName":"\x14\n\\"\\\\u0014\\ud83d"' in raw_data
    assert json.loads(raw_data, strict=False)["nickName"] == '\x14\n"\\u0014\ud83d'


@pytest.mark.parametrize(
    "fields",
    [
        {"app_id": "", "app_secret": "x"},
        {"app_id": "wx", "app_secret": ""},
        {"app_id": "wx", "app_secret": "x", "kind": "mini"},
    ],
)
def test_app_that_makes_no_sense_is_refused(fields):
    with pytest.raises(SimulatorError):
        SimulatedApp(**fields)


def test_app_given_twice_with_differences_is_refused():
    with pytest.raises(SimulatorError, match="twice"):
        WechatSimulator(apps=[APP, SimulatedApp(APP.app_id, "another")])


def test_secrets_do_not_show_in_a_repr(sim, server):
    server.exchange(sim.login("alice", APP.app_id))

    assert APP.app_secret not in repr((sim.apps, sim.requests))
