"""``merge/plan`` and ``merge/confirm``: both sides are proved, and just now."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.api.answers import check_refusal
from tests.host_app.models import Order
from tests.phone import Phone
from wxauth.models import LoginSession, Merge

MakePhone = Callable[..., Phone]


@pytest.fixture
def other(make_phone: MakePhone) -> Phone:
    """The same person's other account."""
    other = make_phone("bob's other phone")
    assert other.sign_in().status_code == 201
    return other


def plan(phone: Phone, other: Phone) -> Any:
    return phone.post("merge/plan", {"other_token": other.tokens["access"]})


def confirm(phone: Phone, other: Phone, merge: int) -> Any:
    return phone.post("merge/confirm", {"other_token": other.tokens["access"], "merge": merge})


def test_two_accounts_become_one(member: Phone, other: Phone) -> None:
    Order.objects.create(user_id=other.uid)
    answer = plan(member, other).json()
    uids = [str(answer["uid"]), str(answer["other_uid"])]
    assert uids == [str(member.uid), str(other.uid)]
    assert {"name": "Orders", "rows": 1} in answer["moves"]
    assert answer["state"] == "planned"
    done = confirm(member, other, answer["merge"])
    assert done.status_code == 200
    assert done.json()["state"] == "done"
    check_refusal(other.post("logout"), 401, "token_invalid")
    assert other.sign_in("login").json()["uid"] == member.uid
    assert str(Order.objects.get().user_id) == str(member.uid)


def test_plan_changes_nothing(member: Phone, other: Phone) -> None:
    plan(member, other)
    assert other.sign_in("login").json()["uid"] != member.uid


def test_names_of_the_projects_models_stay_inside(member: Phone, other: Phone) -> None:
    Order.objects.create(user_id=other.uid)
    assert b"host_app" not in plan(member, other).content


@pytest.mark.parametrize("route", ["merge/plan", "merge/confirm"])
def test_token_of_the_other_must_be_good(member: Phone, other: Phone, route: str) -> None:
    merge = plan(member, other).json()["merge"]
    other.post("logout")
    for token in ("nonsense", other.tokens["access"], other.tokens["refresh"]):
        answer = member.post(route, {"other_token": token, "merge": merge})
        check_refusal(answer, 403, "merge_proof_invalid")
    assert Merge.objects.get().state == "planned"


@pytest.mark.parametrize("old", ["member", "other"])
@pytest.mark.parametrize("route", ["merge/plan", "merge/confirm"])
def test_both_sign_ins_must_be_fresh(member: Phone, other: Phone, old: str, route: str) -> None:
    merge = plan(member, other).json()["merge"]
    uid = {"member": member, "other": other}[old].uid
    LoginSession.objects.filter(user=uid).update(created_at=timezone.now() - timedelta(minutes=11))
    answer = member.post(route, {"other_token": other.tokens["access"], "merge": merge})
    check_refusal(answer, 403, "fresh_sign_in_required")


def test_merge_of_two_others_is_refused(member: Phone, other: Phone, make_phone: MakePhone) -> None:
    mallory = make_phone("mallory")
    mallory.sign_in()
    merge = plan(member, other).json()["merge"]
    check_refusal(confirm(mallory, other, merge), 409, "merge_refused")
    check_refusal(confirm(other, member, merge), 409, "merge_refused")
    check_refusal(confirm(member, other, merge + 1), 409, "merge_refused")


def test_own_token_as_the_other_is_refused(member: Phone) -> None:
    check_refusal(plan(member, member), 409, "merge_refused")


def test_merge_needs_a_sign_in(phone: Phone, other: Phone) -> None:
    check_refusal(plan(phone, other), 401, "not_authenticated")


def test_device_of_the_merge_is_recorded(member: Phone, other: Phone) -> None:
    merge = plan(member, other).json()["merge"]
    body = {"other_token": other.tokens["access"], "merge": merge}
    member.post("merge/confirm", body, **{"User-Agent": "MicroMessenger"})
    done = Merge.objects.get()
    assert str(done.confirmed_by_id) == str(member.uid)
    agents = done.winner.wxauth_audit_events.values_list("user_agent", flat=True)  # type: ignore[union-attr]
    assert list(agents) == ["MicroMessenger"]


def test_union_conflict_is_resolved_by_its_person(
    make_phone: MakePhone, app: Any, other_app: Any
) -> None:
    alice = make_phone("alice")
    alice.simulator.user("alice").unionid_hidden = {app.app_id}
    alice.sign_in()
    there = make_phone("alice", other_app)
    there.sign_in()
    alice.simulator.user("alice").unionid_hidden = False
    assert alice.sign_in().json()["union_conflict"] is True
    merge = plan(there, alice).json()["merge"]
    assert confirm(there, alice, merge).status_code == 200
    again = alice.sign_in().json()
    assert again["uid"] == there.uid
    assert "union_conflict" not in again
