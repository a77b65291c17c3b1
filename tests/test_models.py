"""What the tables themselves refuse, whatever the code above them does."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from wxauth.models import (
    LoginSession,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)

pytestmark = pytest.mark.django_db

NOT_IDS = ["", "null", "None", "undefined"]


def refuses(create: Any) -> bool:
    try:
        with transaction.atomic():
            create()
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize("word", NOT_IDS)
def test_words_that_are_no_ids_are_refused(make_user: Any, word: str) -> None:
    user = make_user()
    assert refuses(lambda: WechatIdentity.objects.create(user=user, app_id="wx1", openid=word))
    assert refuses(
        lambda: WechatIdentity.objects.create(user=user, app_id="wx1", openid="o1", unionid=word)
    )
    assert refuses(lambda: WechatUnion.objects.create(user=user, scope="main", unionid=word))


def test_one_openid_of_one_app_belongs_to_one_user(make_user: Any) -> None:
    WechatIdentity.objects.create(user=make_user(), app_id="wx1", openid="o1")
    assert refuses(
        lambda: WechatIdentity.objects.create(user=make_user(), app_id="wx1", openid="o1")
    )
    WechatIdentity.objects.create(user=make_user(), app_id="wx2", openid="o1")


def test_one_unionid_of_one_scope_belongs_to_one_user(make_user: Any) -> None:
    WechatUnion.objects.create(user=make_user(), scope="main", unionid="u1")
    assert refuses(lambda: WechatUnion.objects.create(user=make_user(), scope="main", unionid="u1"))
    WechatUnion.objects.create(user=make_user(), scope="other", unionid="u1")


def test_ids_that_differ_by_case_are_different(make_user: Any) -> None:
    WechatIdentity.objects.create(user=make_user(), app_id="wx1", openid="oAb", unionid="uAb")
    WechatIdentity.objects.create(user=make_user(), app_id="wx1", openid="oaB", unionid="uaB")
    WechatUnion.objects.create(user=make_user(), scope="main", unionid="uAb")
    WechatUnion.objects.create(user=make_user(), scope="main", unionid="uaB")
    assert WechatIdentity.objects.get(unionid="uaB").openid == "oaB"
    assert WechatUnion.objects.find(scope="main", unionid="UAB") is None


def test_one_number_belongs_to_one_user(make_user: Any) -> None:
    fields = {"number": "+8613800138000", "source": "phone_code", "verified_at": timezone.now()}
    PhoneNumber.objects.create(user=make_user(), **fields)
    assert refuses(lambda: PhoneNumber.objects.create(user=make_user(), **fields))


def test_nobody_invites_themselves(make_user: Any) -> None:
    user = make_user()
    assert refuses(lambda: Referral.objects.create(referee=user, referrer=user))


def test_nobody_is_invited_twice(make_user: Any) -> None:
    user = make_user()
    Referral.objects.create(referee=user, referrer=make_user())
    assert refuses(lambda: Referral.objects.create(referee=user, referrer=make_user()))


def test_referral_outlives_the_referrer(make_user: Any) -> None:
    inviter = make_user()
    referral = Referral.objects.create(referee=make_user(), referrer=inviter)
    inviter.delete()
    referral.refresh_from_db()
    assert referral.referrer is None


@pytest.mark.parametrize("nickname", ["小明🙂é", "👩‍👩‍👧‍👦", "𝒲", "\u0301"])
def test_nicknames_come_back_unchanged(make_user: Any, nickname: str) -> None:
    WechatProfile.objects.create(user=make_user(), nickname=nickname, ext={"name": nickname})
    profile = WechatProfile.objects.get()
    assert profile.nickname == nickname
    assert profile.ext == {"name": nickname}


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+8613800138000", "+86138****8000"),
        ("+85251234567", "+852****4567"),
        ("+2901234", "+2****1234"),
    ],
)
def test_masked_number_hides_its_middle(number: str, masked: str) -> None:
    phone = PhoneNumber(number=number)
    assert phone.masked == masked
    assert str(phone) == masked


def test_session_is_open_until_it_expires_or_is_revoked() -> None:
    now = timezone.now()
    session = LoginSession(expires_at=now + timedelta(seconds=1))
    assert session.is_open(now)
    assert not session.is_open(now + timedelta(seconds=1))
    session.revoked_at = now
    assert not session.is_open(now)


def test_rotation_of_an_old_generation_or_a_closed_session_changes_nothing(make_user: Any) -> None:
    now = timezone.now()
    later = {"rotated_at": now, "expires_at": now + timedelta(days=1)}
    session = LoginSession.objects.create(user=make_user(), **later)
    rotate = LoginSession.objects.rotate
    assert not rotate(session.id, 1, **later)
    assert rotate(session.id, 0, **later)
    assert not rotate(session.id, 0, **later)
    assert LoginSession.objects.revoke([session.id], now=now) == 1
    assert LoginSession.objects.revoke([session.id], now=now) == 0
    assert not rotate(session.id, 1, **later)


def test_sign_in_finds_its_rows_by_index(make_user: Any) -> None:
    """The lookups of every sign-in and token check, on whatever database runs the tests."""
    lookups = [
        WechatIdentity.objects.filter(app_id="wx1", openid="o1"),
        WechatUnion.objects.filter(scope="main", unionid="u1"),
        LoginSession.objects.filter(pk=LoginSession().pk),
        PhoneNumber.objects.filter(number="+8613800138000"),
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # tiny tables are scanned otherwise
    for lookup in lookups:
        plan = lookup.explain().lower()
        assert "index" in plan or "const" in plan, plan
