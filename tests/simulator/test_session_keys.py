"""session_key and encrypt keys: who renews them, and what is done with a signature."""

import base64
from itertools import pairwise

import pytest
import requests

from tests.simulator.conftest import APP, CHECK, ENCRYPT_KEY, RENEW, SIBLING
from wxauth.crypto import session_signature
from wxauth.simulator import SimulatorError

pytestmark = pytest.mark.static


def exchanged_key(sim, server, user="alice"):
    return server.exchange(sim.login(user, APP.app_id))["session_key"]


def test_key_is_16_bytes_in_base64(sim):
    assert len(base64.b64decode(sim.session_key("alice", APP.app_id), validate=True)) == 16


def test_rotation_always_renews_when_the_code_is_issued(sim, server):
    assert sim.session_key_rotation == "always"
    before = exchanged_key(sim, server)
    code = sim.login("alice", APP.app_id)

    assert sim.session_key("alice", APP.app_id) != before, "not only when it is exchanged"
    assert server.exchange(code)["session_key"] == sim.session_key("alice", APP.app_id)


def test_rotation_never_keeps_the_key(sim, server):
    sim.session_key_rotation = "never"

    assert len({exchanged_key(sim, server) for _ in range(5)}) == 1


def test_rotation_random_does_both_and_the_same_in_each_run(sim, server):
    def pattern():
        sim.reset()
        sim.session_key_rotation = "random"
        keys = [exchanged_key(sim, server) for _ in range(20)]
        return [one == two for one, two in pairwise(keys)]

    first = pattern()

    assert set(first) == {True, False}
    assert pattern() == first


def test_unknown_rotation_is_refused(sim):
    with pytest.raises(SimulatorError, match="always, never, random"):
        sim.session_key_rotation = "sometimes"


def test_code_carries_the_key_of_its_issue(sim, server):
    older, newer = sim.login("alice", APP.app_id), sim.login("alice", APP.app_id)
    new_key = server.exchange(newer)["session_key"]
    old_key = server.exchange(older)["session_key"]

    assert server.signed(CHECK, new_key)["errcode"] == 0
    assert server.signed(CHECK, old_key)["errcode"] == 87009


def test_checksession_takes_the_current_key_only(sim, server):
    key = exchanged_key(sim, server)
    assert server.signed(CHECK, key) == {"errcode": 0, "errmsg": "ok"}

    sim.login("alice", APP.app_id)
    answer = server.signed(CHECK, key)
    assert answer["errcode"] == 87009
    assert answer["errmsg"].startswith("invalid signature, rid: ")


def test_signature_is_made_with_the_base64_text(sim, server):
    key = exchanged_key(sim, server)
    decoded = base64.b64decode(key).decode("latin-1")

    query = server.signed_query(key)
    assert query["signature"] == session_signature(key)
    wrong = server.signed_query(decoded)["signature"]
    assert server.signed(CHECK, key, signature=wrong)["errcode"] == 87009


@pytest.mark.parametrize("path", [CHECK, RENEW, ENCRYPT_KEY])
@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"access_token": ""}, 41001),
        ({"access_token": "unknown"}, 40014),
        ({"openid": ""}, 41009),
        ({"openid": "oUnknown"}, 40003),
        ({"sig_method": "hmac_md5"}, 87008),
        ({"sig_method": ""}, 87008),
        ({"signature": ""}, 87009),
        ({"signature": "é"}, 87009),
    ],
)
def test_signed_calls_are_checked(sim, server, path, changes, errcode):
    key = exchanged_key(sim, server)

    assert server.signed(path, key, **changes)["errcode"] == errcode


@pytest.mark.parametrize("path", [CHECK, RENEW, ENCRYPT_KEY])
def test_openid_of_another_app_is_refused(sim, server, path):
    key = exchanged_key(sim, server)
    foreign = sim.openid("alice", SIBLING.app_id)

    assert server.signed(path, key, openid=foreign)["errcode"] == 40003


def test_key_that_has_expired_does_not_exist(sim, server):
    key = exchanged_key(sim, server)
    sim.expire_session_key("alice", APP.app_id)

    assert server.signed(CHECK, key)["errcode"] == 87007


def test_reset_gives_a_new_key(sim, server):
    key = exchanged_key(sim, server)
    answer = server.signed(RENEW, key)

    assert answer["errcode"] == 0
    assert answer["openid"] == sim.openid("alice", APP.app_id)
    assert answer["session_key"] == sim.session_key("alice", APP.app_id) != key
    assert server.signed(CHECK, key)["errcode"] == 87009
    assert server.signed(CHECK, answer["session_key"])["errcode"] == 0


def test_frequent_resets_of_one_person_are_refused(sim, server):
    key = exchanged_key(sim, server)
    for _ in range(10):
        key = server.signed(RENEW, key)["session_key"]

    assert server.signed(RENEW, key)["errcode"] == 45011


def test_encrypt_keys_are_listed_newest_first(sim, server):
    key = exchanged_key(sim, server)
    on_the_phone = sim.encrypt_key("alice", APP.app_id)
    (listed,) = server.signed(ENCRYPT_KEY, key)["key_info_list"]

    assert listed["encrypt_key"] == on_the_phone["encryptKey"]
    assert listed["iv"] == on_the_phone["iv"]
    assert len(listed["iv"]) == 16
    assert len(base64.b64decode(listed["encrypt_key"])) == 16
    assert listed["version"] == on_the_phone["version"] == 1
    assert listed["create_time"] + 3600 == on_the_phone["expireTime"]
    assert listed["expire_in"] == 3600


def test_encrypt_key_lives_an_hour_and_three_are_shown(sim, server):
    key = exchanged_key(sim, server)
    for _ in range(4):
        answer = server.signed(ENCRYPT_KEY, key)
        sim.advance(3600)

    keys = answer["key_info_list"]
    assert [info["version"] for info in keys] == [4, 3, 2]
    assert [info["expire_in"] > 0 for info in keys] == [True, False, False]


def test_encrypt_keys_can_be_asked_by_post(sim, server):
    query = server.signed_query(exchanged_key(sim, server))
    response = requests.post(sim.base_url + ENCRYPT_KEY, params=query, timeout=5)

    assert response.json()["errcode"] == 0
    put = requests.put(sim.base_url + ENCRYPT_KEY, params=query, timeout=5)
    assert put.json()["errcode"] == 43001
