"""The routes ``referrals``, ``invite_code`` and ``audit``. Incidents 23 and 34."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from tests.api.answers import check_refusal, row_counts
from tests.phone import Phone
from wxauth.models import AuditEvent, InviteCode, WechatProfile

ROUTES = ["referrals", "invite_code", "audit"]
PAGED = ["referrals", "audit"]
PICTURE = "https://example.com/a.png"


@pytest.fixture
def invited(member: Phone, make_phone: Any) -> list[Phone]:
    """Three people whom the member has invited, the first one first."""
    people = [make_phone(name) for name in ("carol", "dave", "erin")]
    for phone in people:
        assert phone.sign_in(referrer=member.uid).status_code == 201
        fields = {"nickname": f"{phone.name} secret", "avatar_url": PICTURE}
        WechatProfile.objects.filter(user_id=phone.uid).update(**fields)
    return people


def get(phone: Phone, route: str, **query: Any) -> Any:
    return phone.client.get(f"/api/{route}", query)


@pytest.mark.parametrize("route", ROUTES)
def test_who_is_not_signed_in_is_refused(api: Any, db: None, route: str) -> None:
    check_refusal(api.get(f"/api/{route}"), 401, "not_authenticated")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("route", ROUTES)
def test_route_works_with_and_without_the_slash(member: Phone, route: str, slash: str) -> None:
    assert member.client.get(f"/api/{route}{slash}").status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_is_linked_by_a_plain_get(member: Phone, invited: list[Phone], route: str) -> None:
    """Incident 23: a link that somebody follows must not join accounts."""
    get(member, "invite_code")
    rows = row_counts()
    fields = {"referrer": str(invited[0].uid), "code": "x", "scene": "y"}
    for name in ("bind_phone", "register_simple", "authorize", "login"):
        check_refusal(get(member, name, **fields), 405)
    assert get(member, route, **{k: v for k, v in fields.items() if k != "code"}).status_code == 200
    assert row_counts() == rows


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["post", "patch", "put", "delete"])
def test_routes_are_to_read(member: Phone, route: str, method: str) -> None:
    check_refusal(getattr(member.client, method)(f"/api/{route}"), 405)


@pytest.mark.parametrize("route", PAGED)
@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "101"}, {"limit": "-1"}, {"limit": "1.0"}, {"limit": "x"},
        {"limit": "１"}, {"limit": ""}, {"limit": "9" * 5000}, {"limit": "1_0"},
        {"cursor": "x"}, {"cursor": "1"}, {"cursor": "1-x"}, {"cursor": "-1-1"},
        {"cursor": "9" * 65}, {"cursor": "9" * 18 + "-1"}, {"cursor": "\x00"}, {"cursor": "😀"},
        {"cursor": "1-" + "9" * 19},
    ],
    ids=lambda query: ascii(query)[:30],
)  # fmt: skip
def test_page_that_is_none_is_refused(member: Phone, route: str, query: dict[str, str]) -> None:
    body = check_refusal(member.client.get(f"/api/{route}?{urlencode(query)}"), 400)
    assert set(body["fields"]) == set(query)


@pytest.mark.parametrize("route", PAGED)
@pytest.mark.parametrize("raw", ["limit=%FF", "cursor=%ED%A0%BD", "cursor=%00", "limit=1&limit=x"])
def test_query_that_is_no_text_is_refused(member: Phone, route: str, raw: str) -> None:
    check_refusal(member.client.get(f"/api/{route}?{raw}"), 400)


@pytest.mark.parametrize("route", PAGED)
@pytest.mark.parametrize("query", ["", "cursor=", "limit=100", "cursor=0-0", "other=1"])
def test_page_of_nobody_is_empty(member: Phone, route: str, query: str) -> None:
    body = member.client.get(f"/api/{route}?{query}").json()
    assert body["next"] is None
    assert body.get("invited", body.get("events")) == []


@pytest.mark.parametrize("cursor", ["9" * 17 + "-" + "9" * 18, "0-1", "99999999999999999-0"])
@pytest.mark.parametrize("route", PAGED)
def test_cursor_beyond_all_rows_is_a_page(member: Phone, route: str, cursor: str) -> None:
    assert get(member, route, cursor=cursor).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_routes_are_counted_by_user(member: Phone, route: str, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"person": "2/day"}
    answers = [get(member, route).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


# Referrals


def test_friends_are_masked_and_newest_first(member: Phone, invited: list[Phone]) -> None:
    response = get(member, "referrals")
    body = response.json()
    assert body["inviter"] is None
    assert body["levels"] == [3, 0, 0]
    assert [friend["nickname"] for friend in body["invited"]] == ["e**", "d**", "c**"]
    assert {friend["avatar_url"] for friend in body["invited"]} == {PICTURE}
    assert {key for friend in body["invited"] for key in friend} == {"nickname", "avatar_url", "at"}
    assert "secret" not in response.content.decode()


def test_inviter_is_masked(member: Phone, invited: list[Phone]) -> None:
    WechatProfile.objects.filter(user_id=member.uid).update(nickname="小明", avatar_url=PICTURE)
    body = get(invited[0], "referrals").json()
    assert {k: v for k, v in body["inviter"].items() if k != "at"} == {
        "nickname": "小**",
        "avatar_url": PICTURE,
    }
    assert body["levels"] == [0, 0, 0]


def test_pages_follow_each_other(member: Phone, invited: list[Phone]) -> None:
    names, cursor, pages = [], "", 0
    while cursor is not None:
        body = get(member, "referrals", limit=2, cursor=cursor).json()
        assert ("levels" in body) is ("inviter" in body) is (pages == 0)
        names += [friend["nickname"] for friend in body["invited"]]
        cursor, pages = body["next"], pages + 1
    assert (names, pages) == (["e**", "d**", "c**"], 2)


def test_cursor_of_another_user_shows_nobody_of_theirs(
    member: Phone, invited: list[Phone], make_phone: Any
) -> None:
    cursor = get(member, "referrals", limit=1).json()["next"]
    assert get(invited[0], "referrals", cursor=cursor).json()["invited"] == []


def test_depth_is_that_of_the_settings(member: Phone, invited: list[Phone], settings: Any) -> None:
    settings.WXAUTH_REFERRAL_DEPTH = 1
    assert get(member, "referrals").json()["levels"] == [3]


# Invite codes


def test_code_stays_and_serves_as_referrer(member: Phone, phone: Phone) -> None:
    code = get(member, "invite_code").json()["invite_code"]
    assert get(member, "invite_code").json() == {"invite_code": code}
    assert InviteCode.objects.get().code == code
    phone.sign_in("register_simple", referrer=code.lower())
    assert str(phone.client.get("/api/me").json()["referrer"]) == str(member.uid)


# Activity


def test_own_activity_is_shown_without_facts(member: Phone) -> None:
    member.post("bind_phone", {"phone_code": member.phone_button()["code"]}, user_agent="Mini")
    [event] = get(member, "audit").json()["events"]
    at = event.pop("at")
    assert AuditEvent.objects.get().at.isoformat()[:19] == at[:19]
    assert event == {
        "kind": "phone_bound",
        "app": "default",
        "by_other": False,
        "device": "Mini",
        "ip_address": "127.0.0.1",
    }


def test_activity_of_others_is_not_shown(member: Phone, phone: Phone) -> None:
    phone.sign_in()
    phone.bind_phone()
    assert get(member, "audit").json() == {"events": [], "next": None}


def test_device_of_the_staff_is_not_shown(member: Phone, make_user: Any) -> None:
    AuditEvent.objects.create(
        kind="merged",
        user_id=member.uid,
        user_key=str(member.uid),
        actor_key=str(make_user().pk),
        user_agent="Clerk's browser",
        ip_address="192.0.2.1",
        facts={"loser": "4711"},
    )
    response = get(member, "audit")
    assert response.json()["events"][0]["by_other"] is True
    text = json.dumps(response.json())
    assert not [secret for secret in ("Clerk", "192.0.2", "4711") if secret in text]


def test_activity_is_newest_first_in_pages(member: Phone) -> None:
    now = timezone.now()
    for days in (3, 1, 2):
        at = now - timedelta(days=days)
        app = f"day {days}"
        AuditEvent.objects.create(kind="exported", user_key=str(member.uid), app=app, at=at)
    first = get(member, "audit", limit=2).json()
    second = get(member, "audit", limit=2, cursor=first["next"]).json()
    shown = [event["app"] for event in first["events"] + second["events"]]
    assert shown == ["day 1", "day 2", "day 3"]
    assert second["next"] is None
