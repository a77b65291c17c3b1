"""What the host project hears of, with which arguments, and when."""

from typing import Any

from django.contrib.auth import get_user_model

from tests.phone import Phone
from wxauth import signals
from wxauth.models import LoginSession, PhoneNumber, WechatIdentity


def test_registration_is_heard_once_and_then_the_sign_in(
    phone: Phone, member: Phone, received: Any
) -> None:
    with received("user_registered", "user_logged_in") as heard:
        phone.sign_in("register_simple", referrer=member.uid)
        phone.sign_in("login")
    [registered] = heard["user_registered"]
    assert str(registered["user"].pk) == str(phone.uid)
    assert registered["identity"].openid == phone.openid
    assert registered["app"] == "default"
    assert str(registered["referrer"].pk) == str(member.uid)
    assert [sign_in["registered"] for sign_in in heard["user_logged_in"]] == [True, False]
    assert {sign_in["session"] for sign_in in heard["user_logged_in"]} == set(
        LoginSession.objects.filter(user_id=phone.uid)
    )


def test_phone_is_heard_with_the_number_it_replaces(member: Phone, received: Any) -> None:
    with received("phone_bound") as heard:
        member.bind_phone()
        member.simulator.user(member.name).phone_number = "13900139000"
        member.bind_phone()
    first, second = heard["phone_bound"]
    assert first["previous"] is None
    assert second["previous"] == first["phone"].number
    assert second["phone"] == PhoneNumber.objects.get()
    assert second["phone"].number == "+8613900139000"


def test_bad_receiver_does_not_undo_a_sign_in(
    phone: Phone, django_capture_on_commit_callbacks: Any
) -> None:
    def receive(**kwargs: Any) -> None:
        raise RuntimeError("a receiver of the host's")

    signals.user_logged_in.connect(receive)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            assert phone.sign_in().status_code == 201
    finally:
        signals.user_logged_in.disconnect(receive)
    assert get_user_model().objects.count() == WechatIdentity.objects.count() == 1
