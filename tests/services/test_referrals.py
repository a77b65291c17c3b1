"""Who counts as a referrer, what is written down, and what becomes of it. Incident 34."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.phone import Phone
from wxauth import services
from wxauth.models import InviteCode, Referral, WechatProfile
from wxauth.services.referrals import find_referrer

pytestmark = pytest.mark.django_db

User = get_user_model()


@pytest.fixture
def make_phone(db: None, wechat_simulator: Any, app: Any) -> Any:
    return lambda name="alice": Phone(wechat_simulator, name, app)


@pytest.fixture
def invite(make_user: Any) -> Any:
    """Return a function that makes users whom ``referrer`` has invited."""

    def invite(referrer: Any, number: int = 1) -> list[Any]:
        invited = [make_user() for _ in range(number)]
        for user in invited:
            Referral.objects.create(referee=user, referrer=referrer)
        return invited

    return invite


def read(user: Any, **page: Any) -> Any:
    return services.read_referrals(user=user, **{"limit": 20, **page})


# Who is a referrer


def test_uid_and_code_in_any_case_lead_to_the_user(make_user: Any) -> None:
    user = make_user()
    code = services.read_invite_code(user=user)
    for referrer in (user.pk, str(user.pk), f" {user.pk} ", code, code.lower(), f" {code} "):
        value = referrer if isinstance(referrer, int | str) else str(referrer)
        assert find_referrer(value) == user


def test_code_of_nobody_leads_to_nobody(make_user: Any) -> None:
    services.read_invite_code(user=make_user())
    assert find_referrer("BCDF2345") is None


def test_code_of_an_inactive_user_leads_to_nobody(make_user: Any) -> None:
    user = make_user()
    code = services.read_invite_code(user=user)
    User._default_manager.filter(pk=user.pk).update(is_active=False)
    assert find_referrer(code) is None
    assert find_referrer(str(user.pk)) is None


def test_code_goes_with_its_user(make_user: Any) -> None:
    user = make_user()
    code = services.read_invite_code(user=user)
    user.delete()
    assert find_referrer(code) is None
    assert not InviteCode.objects.exists()


def test_code_stays_the_same(make_user: Any) -> None:
    first, second = make_user(), make_user()
    code = services.read_invite_code(user=first)
    assert services.read_invite_code(user=first) == code
    assert services.read_invite_code(user=second) != code
    assert InviteCode.objects.count() == 2


def test_code_that_another_user_has_is_drawn_again(make_user: Any, monkeypatch: Any) -> None:
    drawn = iter(["BCDF2345", "BCDF2345", "BCDF2346"])
    monkeypatch.setattr("wxauth.invite_codes.make", lambda: next(drawn))
    assert services.read_invite_code(user=make_user()) == "BCDF2345"
    assert services.read_invite_code(user=make_user()) == "BCDF2346"


def test_codes_of_other_case_are_two(make_user: Any) -> None:
    InviteCode.objects.create(user=make_user(), code="BCDF2345")
    InviteCode.objects.create(user=make_user(), code="bcdf2345")
    with pytest.raises(IntegrityError), transaction.atomic():
        InviteCode.objects.create(user=make_user(), code="BCDF2345")


# What is written down


def test_registration_by_code_has_its_referrer_and_scene(make_phone: Any, make_user: Any) -> None:
    inviter = make_user()
    code = services.read_invite_code(user=inviter)
    make_phone().sign_in("register_simple", referrer=code.lower(), scene=" poster 7 ")
    referral = Referral.objects.get()
    assert (referral.referrer, referral.scene) == (inviter, "poster 7")


def test_scene_without_a_referrer_is_kept_and_nobody_has_invited(make_phone: Any) -> None:
    phone = make_phone()
    phone.sign_in("authorize", scene=1047)
    referral = Referral.objects.get()
    assert (referral.referrer, referral.scene) == (None, "1047")
    assert read(referral.referee).inviter is None
    assert phone.client.get("/api/me").json()["referrer"] is None


@pytest.mark.parametrize(
    "scene",
    ["", " ", None, "x" * 65, "a\nb", "\x00", "\ud83d", 1.5, 10**70, "9" * 5000],
    ids=lambda value: ascii(value)[:20],
)
@pytest.mark.parametrize("route", ["register_simple", "authorize"])
def test_useless_scene_never_fails_a_registration(make_phone: Any, route: str, scene: Any) -> None:
    assert make_phone().sign_in(route, scene=scene).status_code == 201
    assert not Referral.objects.exists()


def test_scene_of_a_known_person_is_ignored(make_phone: Any, make_user: Any) -> None:
    phone = make_phone()
    phone.sign_in("authorize")
    phone.sign_in("authorize", scene="late", referrer=str(make_user().pk))
    assert not Referral.objects.exists()


def test_registration_with_a_profile_keeps_the_scene_too(make_phone: Any) -> None:
    phone = make_phone()
    code = phone.code()
    answer = phone.sign_in("register_complex", code=code, scene="poster", **phone.open_data())
    assert answer.status_code == 201
    assert Referral.objects.get().scene == "poster"


def test_own_code_as_referrer_is_ignored(make_phone: Any) -> None:
    """Incident 34: the test for self-invites let them through, and the query saved it."""
    phone = make_phone()
    phone.sign_in()
    own = phone.client.get("/api/invite_code").json()["invite_code"]
    phone.sign_in("register_simple", referrer=own)
    assert not Referral.objects.exists()


def test_two_people_cannot_invite_each_other(make_phone: Any) -> None:
    """Incident 34: a cycle would take a referrer who registers later."""
    alice, bob = make_phone("alice"), make_phone("bob")
    alice.sign_in()
    bob.sign_in(referrer=alice.uid)
    alice.sign_in("register_simple", referrer=bob.uid)
    alice.sign_in("authorize", referrer=bob.client.get("/api/invite_code").json()["invite_code"])
    referral = Referral.objects.get()
    assert (str(referral.referrer_id), str(referral.referee_id)) == (str(alice.uid), str(bob.uid))


# What is shown


def test_inviter_and_invited_are_masked(make_user: Any, invite: Any) -> None:
    inviter, user = make_user(), make_user()
    Referral.objects.create(referee=user, referrer=inviter)
    [friend] = invite(user)
    picture = "https://example.com/a.png"
    WechatProfile.objects.create(user=inviter, nickname="张三丰", avatar_url=picture)
    WechatProfile.objects.create(user=friend, nickname="李")
    found = read(user)
    assert (found.inviter.nickname, found.inviter.avatar_url) == ("张**", picture)
    assert [row.nickname for row in found.invited.rows] == ["李**"]


def test_nobody_has_invited_and_nobody_is_invited(make_user: Any) -> None:
    found = read(make_user())
    assert (found.inviter, found.levels, found.invited.rows) == (None, [0, 0, 0], [])


def test_deleted_referrer_leaves_the_row_and_is_nobody(make_user: Any) -> None:
    """Incident 34."""
    inviter, user = make_user(), make_user()
    Referral.objects.create(referee=user, referrer=inviter, scene="poster")
    inviter.delete()
    referral = Referral.objects.get()
    assert (referral.referrer, referral.referee, referral.scene) == (None, user, "poster")
    assert read(user).inviter is None


def test_inactive_referrer_is_somebody(make_user: Any) -> None:
    inviter, user = make_user(is_active=False), make_user()
    WechatProfile.objects.create(
        user=inviter, nickname="Zoé", avatar_url="https://example.com/a.png"
    )
    Referral.objects.create(referee=user, referrer=inviter)
    found = read(user).inviter
    assert (found.nickname, found.avatar_url) == ("", "")


def test_inactive_invited_user_is_counted_and_somebody(make_user: Any, invite: Any) -> None:
    user = make_user()
    [friend] = invite(user)
    WechatProfile.objects.create(user=friend, nickname="Zoé")
    User._default_manager.filter(pk=friend.pk).update(is_active=False)
    found = read(user)
    assert found.levels == [1, 0, 0]
    assert [row.nickname for row in found.invited.rows] == [""]


def test_deleted_invited_user_is_gone_and_so_are_the_people_below(
    make_user: Any, invite: Any
) -> None:
    user = make_user()
    first, second = invite(user, 2)
    invite(first, 3)
    invite(second, 1)
    assert read(user).levels == [2, 4, 0]
    first.delete()
    assert read(user).levels == [1, 1, 0]


def test_referrals_of_a_merged_user_belong_to_the_other(make_user: Any, invite: Any) -> None:
    """What a merge does to our tables: the rows move, and the loser is switched off."""
    loser, winner = make_user(), make_user()
    old = services.read_invite_code(user=loser)
    [friend] = invite(loser)
    Referral.objects.filter(referrer=loser).update(referrer=winner)
    InviteCode.objects.filter(user=loser).update(user=winner)
    User._default_manager.filter(pk=loser.pk).update(is_active=False)
    assert read(winner).levels == [1, 0, 0]
    assert read(loser).levels == [0, 0, 0]
    assert Referral.objects.of(friend).referrer == winner
    assert find_referrer(old) == winner, "posters with the old code go on working"
    assert find_referrer(str(loser.pk)) is None


def test_list_is_newest_first_in_pages(make_user: Any, invite: Any) -> None:
    user = make_user()
    for number, friend in enumerate(invite(user, 5)):
        WechatProfile.objects.create(user=friend, nickname=f"{number}")
        at = timezone.now() - timedelta(days=number)
        Referral.objects.filter(referee=friend).update(created_at=at)
    first = read(user, limit=3)
    assert [row.nickname for row in first.invited.rows] == ["0**", "1**", "2**"]
    second = read(user, limit=3, before=first.invited.next)
    assert [row.nickname for row in second.invited.rows] == ["3**", "4**"]
    assert (second.levels, second.inviter, second.invited.next) == (None, None, None)


# Counts


def test_levels_are_counted_to_the_depth_of_the_settings(
    make_user: Any, invite: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    user = make_user()
    first = invite(user, 3)
    second = invite(first[0], 2)
    third = invite(second[1], 4)
    invite(third[0], 1)
    invite(make_user(), 5)
    for depth, levels in [(1, [3]), (2, [3, 2]), (3, [3, 2, 4]), (6, [3, 2, 4, 1, 0, 0])]:
        settings.WXAUTH_REFERRAL_DEPTH = depth
        assert read(user).levels == levels
        with django_assert_num_queries(1):
            assert Referral.objects.count_levels(user, depth=depth) == levels


@pytest.mark.parametrize("length", [2, 3, 5])
def test_circle_that_cannot_be_is_counted_once(make_user: Any, length: int) -> None:
    people = [make_user() for _ in range(length)]
    for number, user in enumerate(people):
        Referral.objects.create(referee=user, referrer=people[number - 1])
    counts = Referral.objects.count_levels(people[0], depth=10)
    assert counts == [1] * (length - 1) + [0] * (11 - length)
    chain = Referral.objects.chain(people[0], length=100)
    assert chain == [user.pk for user in people[:0:-1]]


def test_chain_leads_up_as_far_as_it_is_told(make_user: Any, invite: Any) -> None:
    people = [make_user()]
    for _ in range(5):
        people += invite(people[-1])
    keys = [user.pk for user in people]
    assert Referral.objects.chain(people[-1], length=10) == keys[-2::-1]
    assert Referral.objects.chain(people[-1], length=2) == keys[-2:-4:-1]
    assert Referral.objects.chain(people[0], length=10) == []


def test_leaders_are_those_of_the_period(make_user: Any, invite: Any) -> None:
    old, new = make_user(), make_user()
    invite(new, 2)
    for friend in invite(old, 3):
        at = timezone.now() - timedelta(days=40)
        Referral.objects.filter(referee=friend).update(created_at=at)
    invite(None, 4)
    now = timezone.now() + timedelta(seconds=1)
    leaders = Referral.objects.leaders
    assert leaders(since=now - timedelta(days=30), until=now, limit=9) == [(new.pk, 2)]
    both = leaders(since=now - timedelta(days=90), until=now, limit=9)
    assert both == [(old.pk, 3), (new.pk, 2)]
    assert leaders(since=now - timedelta(days=90), until=now, limit=1) == both[:1]
