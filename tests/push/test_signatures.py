"""Who is let in at the door: WeChat, now, once; and nobody else by any of its doors."""

import time
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.phone import Phone
from tests.push.conftest import Deliver
from wxauth import crypto
from wxauth.conf import WechatApp, conf
from wxauth.models import PhoneNumber
from wxauth.services import wechat_events

pytestmark = pytest.mark.django_db

REVOKE = "user_authorization_revoke"


@pytest.fixture
def push(member: Phone) -> Any:
    """A push that erases the member's number."""
    assert member.bind_phone().status_code == 200
    return member.simulator.make_push(
        member.name, member.app.app_id, REVOKE, revoke_info="8", form="xml"
    )


def erased() -> bool:
    return not PhoneNumber.objects.exists()


def flipped(text: str) -> str:
    return ("1" if text[0] != "1" else "2") + text[1:]


def address(app: WechatApp, *, at: float | None = None, **changes: str) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    made = crypto.push_signature(app.push_token, stamp, "n")
    return {"timestamp": stamp, "nonce": "n", "signature": made, "echostr": "hello", **changes}


def test_broker_that_trusts_a_parameter_row_29(member: Phone, push: Any, deliver: Deliver) -> None:
    """Row 29: events without signature, fresh timestamp and nonce were taken for WeChat's."""
    signed = "msg_signature" if member.app.push_aes_key else "signature"
    for name in (signed, "timestamp", "nonce"):
        for value in ("", flipped(push.query[name])):
            assert deliver(member.app.alias, push, **{name: value}).status_code == 403, name
    assert not erased()
    assert deliver(member.app.alias, push).content == b"success"
    assert erased()


def test_replay_is_refused_row_33(member: Phone, push: Any, deliver: Deliver) -> None:
    """Row 33: no memory of the nonce let everything in again for as long as it was fresh."""
    assert deliver(member.app.alias, push).status_code == 200
    member.simulator.user(member.name).phone_number = "17400000001"
    assert member.bind_phone().status_code == 200
    assert deliver(member.app.alias, push).status_code == 403
    assert not erased()


def test_body_under_the_signature_of_another_row_33(
    member: Phone, push: Any, deliver: Deliver
) -> None:
    """Row 33: what is nested was not signed. With a key it is; without, the pair is used up."""
    other = member.simulator.make_push(member.name, member.app.app_id, "user_info_modified")
    if member.app.push_aes_key:
        assert deliver(member.app.alias, other, body=push.body).status_code == 403
    else:
        assert deliver(member.app.alias, other).status_code == 200
        assert deliver(member.app.alias, other, body=push.body).status_code == 403
    assert not erased()


def test_push_from_ahead_is_remembered_for_as_long_as_it_is_fresh(
    member: Phone, push: Any, deliver: Deliver, local_memory: None
) -> None:
    stamp = int(push.query["timestamp"])
    for now, status in ((stamp - 290, 200), (stamp + 290, 403)):
        with time_machine.travel(now, tick=False):
            assert deliver(member.app.alias, push).status_code == status


@pytest.mark.parametrize("seconds", [-301, 302])
def test_stale_and_future_pushes_are_refused(member: Phone, deliver: Deliver, seconds: int) -> None:
    member.simulator.advance(seconds)
    push = member.simulator.make_push(member.name, member.app.app_id, "user_info_modified")
    assert deliver(member.app.alias, push).status_code == 403


def test_push_for_another_app_is_refused(
    member: Phone, push: Any, deliver: Deliver, app: WechatApp, other_app: WechatApp
) -> None:
    other = other_app if member.app == app else app
    assert deliver(other.alias, push).status_code == 403
    assert not erased()


def test_plain_push_is_refused_where_there_is_a_key(
    member: Phone, push: Any, deliver: Deliver, settings: Any
) -> None:
    apps = {**settings.WXAUTH_APPS}
    apps["default"] = {**apps["default"], "push_aes_key": "k" * 43}
    settings.WXAUTH_APPS = apps
    if member.app.alias == "default":
        assert deliver("default", push).status_code == 403
        assert not erased()


def test_app_without_a_token_takes_no_pushes(push: Any, deliver: Deliver) -> None:
    forged = {"signature": crypto.push_signature("", push.query["timestamp"], "n"), "nonce": "n"}
    assert deliver("foreign", push, **forged).status_code == 403


def test_unknown_app_has_no_address(push: Any, deliver: Deliver) -> None:
    assert deliver("nobody", push).status_code == 404


def test_push_that_could_not_be_handled_is_good_once_more(
    member: Phone, push: Any, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("the host's")

    monkeypatch.setitem(wechat_events.HANDLERS, REVOKE, fail)
    with pytest.raises(RuntimeError):
        deliver(member.app.alias, push)
    monkeypatch.undo()
    assert deliver(member.app.alias, push).content == b"success"
    assert erased()


def test_cache_outage_lets_wechat_try_again(
    member: Phone, push: Any, deliver: Deliver, settings: Any
) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert deliver(member.app.alias, push).status_code == 503
    assert not erased()


def test_wechat_asks_whether_the_address_is_ours() -> None:
    for alias in ("default", "second"):
        answer = Client().get(f"/push/{alias}", address(conf.app(alias)))
        assert (answer.status_code, answer.content) == (200, b"hello")
        assert answer["Content-Type"].startswith("text/plain")
        assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "0" * 40},
        {"signature": "é"},
        {"signature": ""},
        {"timestamp": "1"},
        {"timestamp": "１７"},
        {"timestamp": "9" * 500},
        {"timestamp": "NaN"},
        {"nonce": "other"},
        {"nonce": "n" * 600},
        {"echostr": "x" * 600},
    ],
    ids=str,
)
def test_question_of_anybody_else_is_refused(changes: dict[str, str]) -> None:
    query = address(conf.app(), **changes)
    assert Client().get("/push/default", query).status_code == 403


def test_old_question_is_refused() -> None:
    query = address(conf.app(), at=time.time() - 400)
    assert Client().get("/push/default", query).status_code == 403


def test_parameter_twice_is_refused() -> None:
    query = {**address(conf.app()), "timestamp": [str(int(time.time()))] * 2}
    assert Client().get("/push/default", query).status_code == 403


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_not_allowed(method: str) -> None:
    assert getattr(Client(), method)("/push/default").status_code == 405
