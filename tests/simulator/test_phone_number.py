"""The phone button: its code, its encryptedData, and what WeChat says of that data later."""

import base64
import hashlib

import phonenumbers
import pytest

from tests.simulator.conftest import APP, CHECK_MESSAGE, PHONE, SIBLING
from wxauth.crypto import decrypt_open_data
from wxauth.simulator import SimulatorError, open_data

pytestmark = pytest.mark.static


def test_code_is_worth_the_number(sim, server):
    pressed = sim.phone("alice", APP.app_id)
    answer = server.phone_number(pressed["code"])

    assert answer["errcode"] == 0
    info = answer["phone_info"]
    assert info["phoneNumber"] == info["purePhoneNumber"] == pressed["purePhoneNumber"]
    assert info["countryCode"] == "86"
    assert info["watermark"]["appid"] == APP.app_id
    assert info["watermark"]["timestamp"] == sim.now()


def test_watermark_has_the_time_of_the_button(sim, server):
    pressed_at = sim.now()
    code = sim.phone("alice", APP.app_id)["code"]
    sim.advance(200)

    watermark = server.phone_number(code)["phone_info"]["watermark"]
    assert watermark["timestamp"] == pressed_at


def test_number_is_valid_and_the_same_in_each_run(sim):
    number = sim.phone("alice", APP.app_id)["purePhoneNumber"]
    sim.reset()

    assert sim.phone("alice", APP.app_id)["purePhoneNumber"] == number
    assert phonenumbers.is_valid_number(phonenumbers.parse(number, "CN"))


def test_many_people_have_different_valid_numbers(sim):
    numbers = {sim.user(f"person {n}").phone_number for n in range(5000)}

    assert len(numbers) == 5000
    parsed = [phonenumbers.parse(number, "CN") for number in numbers]
    assert all(phonenumbers.is_valid_number(number) for number in parsed)


def test_foreign_number_has_its_prefix(sim, server):
    alice = sim.user("alice")
    alice.phone_number, alice.country_code = "51234567", "852"

    info = server.phone_number(sim.phone("alice", APP.app_id)["code"])["phone_info"]
    assert info["phoneNumber"] == "+85251234567"
    assert info["purePhoneNumber"] == "51234567"
    assert info["countryCode"] == "852"


def test_person_without_a_number_gets_no_code(sim):
    sim.user("alice").phone_number = ""

    with pytest.raises(SimulatorError, match="no phone number"):
        sim.phone("alice", APP.app_id)


def test_encrypted_data_opens_with_the_current_key(sim, server):
    pressed = sim.phone("alice", APP.app_id)
    data = decrypt_open_data(
        pressed["encryptedData"],
        pressed["iv"],
        session_key=sim.session_key("alice", APP.app_id),
        app_id=APP.app_id,
    )

    assert data == server.phone_number(pressed["code"])["phone_info"]


def test_phone_button_does_not_renew_the_key(sim):
    key = sim.session_key("alice", APP.app_id)
    sim.phone("alice", APP.app_id)

    assert sim.session_key("alice", APP.app_id) == key


def test_used_code_is_merely_invalid(sim, server):
    code = sim.phone("alice", APP.app_id)["code"]
    server.phone_number(code)

    assert server.phone_number(code)["errcode"] == 40029


def test_code_lives_five_minutes(sim, server):
    early, late = (sim.phone("alice", APP.app_id)["code"] for _ in range(2))

    sim.advance(299)
    assert server.phone_number(early)["errcode"] == 0
    sim.advance(1)
    assert server.phone_number(late)["errcode"] == 40029


def test_login_code_is_no_phone_code(sim, server):
    assert server.phone_number(sim.login("alice", APP.app_id))["errcode"] == 40029


@pytest.mark.parametrize(
    ("body", "errcode"),
    [({}, 40029), ({"code": ""}, 40029), ({"code": 1}, 47001), ({"code": "x", "openid": 1}, 47001)],
)
def test_code_has_to_be_a_text(sim, server, body, errcode):
    token = sim.access_token(APP.app_id)

    assert server.post(PHONE, body, access_token=token)["errcode"] == errcode


def test_token_of_another_app_is_refused_and_the_code_stays_good(sim, server):
    code = sim.phone("alice", APP.app_id)["code"]

    assert server.phone_number(code, SIBLING)["errcode"] == 40013
    assert server.phone_number(code)["errcode"] == 0


def test_openid_has_to_be_that_of_the_code(sim, server):
    code = sim.phone("alice", APP.app_id)["code"]

    assert server.phone_number(code, openid=sim.openid("bob", APP.app_id))["errcode"] == 40003
    assert server.phone_number(code, openid=sim.openid("alice", APP.app_id))["errcode"] == 0


@pytest.mark.parametrize(("token", "errcode"), [(None, 41001), ("", 41001), ("unknown", 40014)])
def test_access_token_is_needed(sim, server, token, errcode):
    body = {"code": sim.phone("alice", APP.app_id)["code"]}

    assert server.post(PHONE, body, access_token=token)["errcode"] == errcode


def test_get_is_refused(server):
    assert server.get(PHONE)["errcode"] == 43002


def check_message(sim, server, digest, app=APP):
    token = sim.access_token(app.app_id)
    return server.post(CHECK_MESSAGE, {"encrypted_msg_hash": digest}, access_token=token)


def test_made_data_is_vouched_for_by_text_and_by_bytes(sim, server):
    text = sim.phone("alice", APP.app_id)["encryptedData"]

    for data in (text.encode(), base64.b64decode(text)):
        answer = check_message(sim, server, hashlib.sha256(data).hexdigest())
        assert answer["errcode"] == 0
        assert answer["vaild"] is True, "so WeChat spells it"
        assert answer["create_time"] == sim.now()


def test_made_data_is_vouched_for_three_days(sim, server):
    text = sim.phone("alice", APP.app_id)["encryptedData"]
    digest = hashlib.sha256(text.encode()).hexdigest()

    sim.advance(3 * 86_400)
    assert check_message(sim, server, digest)["vaild"] is True
    sim.advance(1)
    assert check_message(sim, server, digest)["vaild"] is False


def test_nothing_but_phone_data_of_this_app_is_vouched_for(sim, server):
    profile = sim.userinfo("alice", APP.app_id)["encryptedData"]
    foreign = sim.phone("alice", SIBLING.app_id)["encryptedData"]

    for text in (profile, foreign, "forged"):
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert check_message(sim, server, digest)["vaild"] is False


def test_oldest_data_is_forgotten_when_there_is_too_much(sim, server, monkeypatch):
    monkeypatch.setattr(open_data, "KEPT", 2)  # the digests of one text and of its bytes
    texts = [sim.phone("alice", APP.app_id)["encryptedData"] for _ in range(2)]
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]

    assert [check_message(sim, server, digest)["vaild"] for digest in digests] == [False, True]


@pytest.mark.parametrize(("digest", "errcode"), [("", 40097), (1, 47001)])
def test_hash_is_needed(sim, server, digest, errcode):
    assert check_message(sim, server, digest)["errcode"] == errcode


def test_checking_needs_an_access_token(server):
    assert server.post(CHECK_MESSAGE, {})["errcode"] == 41001
