"""Merging in the admin: by staff with the permission, and by nobody else."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tests.host_app.models import Order
from wxauth.models import AuditEvent, Merge, WechatIdentity

pytestmark = pytest.mark.django_db

NEW = "admin:wxauth_merge_new"
LIST = "admin:wxauth_merge_changelist"
VIEW = ("wxauth.view_merge", "wxauth.view_wechatidentity")
Staff = Callable[..., Client]


@pytest.fixture
def merger(staff: Staff) -> Client:
    """Staff who may merge."""
    return staff(*VIEW, "wxauth.merge_users")


@pytest.fixture
def viewer(staff: Staff) -> Client:
    """Staff who may look."""
    return staff(*VIEW)


@pytest.fixture
def pair(make_user: Callable[..., Any]) -> dict[str, Any]:
    winner, loser = make_user("winner"), make_user("loser")
    Order.objects.create(user=loser)
    return {"winner": str(winner.pk), "loser": str(loser.pk)}


def act(client: Client, model: str, action: str, *rows: Any) -> Any:
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(f"admin:wxauth_{model}_changelist"), data, follow=True)


def test_plan_is_shown_and_changes_nothing(merger: Client, pair: dict[str, Any]) -> None:
    page = merger.get(reverse(NEW), pair)
    assert page.status_code == 200
    assert 'title="host_app.Order.user"' in page.content.decode()
    assert not Merge.objects.exists()
    assert str(Order.objects.get().user_id) == pair["loser"]


def test_confirmed_plan_is_done_and_names_who_did_it(merger: Client, pair: dict[str, Any]) -> None:
    page = merger.post(reverse(NEW), pair, follow=True)
    assert page.status_code == 200
    merge = Merge.objects.get()
    assert merge.state == Merge.State.DONE
    assert str(Order.objects.get().user_id) == pair["winner"]
    events = AuditEvent.objects.filter(kind=AuditEvent.Kind.MERGED)
    assert {event.actor for event in events} == {merge.confirmed_by}
    assert str(merge.confirmed_by_id) not in pair.values()


def test_who_is_no_staff_merges_nobody_whatever_the_permission(
    merger: Client, pair: dict[str, Any]
) -> None:
    get_user_model().objects.update(is_staff=False)
    for answer in (merger.get(reverse(NEW), pair), merger.post(reverse(NEW), pair)):
        assert (answer.status_code, Merge.objects.count()) == (302, 0)


def test_merge_is_undone_from_the_list(merger: Client, pair: dict[str, Any]) -> None:
    merger.post(reverse(NEW), pair)
    page = act(merger, "merge", "undo", Merge.objects.get())
    assert page.status_code == 200
    assert Merge.objects.get().state == Merge.State.UNDONE
    assert str(Order.objects.get().user_id) == pair["loser"]


def test_undo_of_what_is_not_done_says_why(merger: Client, pair: dict[str, Any]) -> None:
    merge = Merge.objects.create(winner_key="1", loser_key="2")
    page = act(merger, "merge", "undo", merge)
    assert "it is not done" in page.content.decode()


def test_viewer_looks_and_can_do_nothing(
    viewer: Client, merger: Client, pair: dict[str, Any]
) -> None:
    assert viewer.get(reverse(NEW), pair).status_code == 403
    assert viewer.post(reverse(NEW), pair).status_code == 403
    assert not Merge.objects.exists()
    merger.post(reverse(NEW), pair)
    merge = Merge.objects.get()
    assert viewer.get(reverse(LIST)).status_code == 200
    assert reverse(NEW) not in viewer.get(reverse(LIST)).content.decode()
    change = reverse("admin:wxauth_merge_change", args=[merge.pk])
    assert viewer.get(change).status_code == 200
    assert viewer.post(change, {"state": "undone"}).status_code == 403
    act(viewer, "merge", "undo", merge)
    assert Merge.objects.get().state == Merge.State.DONE


def test_nobody_deletes_what_undoing_needs(admin_client: Client) -> None:
    merge = Merge.objects.create(winner_key="1", loser_key="2")
    delete = reverse("admin:wxauth_merge_delete", args=[merge.pk])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    act(admin_client, "merge", "delete_selected", merge)
    assert Merge.objects.exists()


def test_list_leads_who_may_to_a_new_merge(merger: Client) -> None:
    assert reverse(NEW) in merger.get(reverse(LIST)).content.decode()


def test_identity_in_conflict_leads_to_the_plan_with_its_holder_as_the_winner(
    merger: Client, make_person: Callable[..., Any]
) -> None:
    person = make_person(conflict=True)
    page = act(merger, "wechatidentity", "merge_users", person.identity)
    [(url, _)] = page.redirect_chain
    assert f"winner={person.holder.pk}&loser={person.user.pk}" in url
    assert page.status_code == 200


def test_identities_of_two_users_lead_to_the_plan(
    merger: Client, make_person: Callable[..., Any]
) -> None:
    one, two = make_person(), make_person()
    page = act(merger, "wechatidentity", "merge_users", one.identity, two.identity)
    assert f"winner={one.user.pk}&loser={two.user.pk}" in page.redirect_chain[0][0]


def test_identities_of_one_or_three_users_lead_nowhere(
    merger: Client, make_person: Callable[..., Any]
) -> None:
    rows = [make_person().identity for _ in range(3)]
    for selected in (rows[:1], rows):
        page = act(merger, "wechatidentity", "merge_users", *selected)
        assert reverse(NEW) not in page.redirect_chain[0][0]


def test_action_is_not_offered_to_a_viewer(viewer: Client, make_person: Callable[..., Any]) -> None:
    person = make_person(conflict=True)
    page = act(viewer, "wechatidentity", "merge_users", person.identity)
    assert not any(reverse(NEW) in url for url, _ in page.redirect_chain)


@pytest.mark.parametrize("nonsense", ["", "nobody", "999999999", "x" * 500, "\0"])
def test_nonsense_for_a_uid_is_no_user(merger: Client, pair: dict[str, Any], nonsense: str) -> None:
    page = merger.get(reverse(NEW), {**pair, "loser": nonsense})
    assert page.status_code == 200
    assert "There are no such users." in page.content.decode()


def test_privileged_loser_is_refused_with_the_reason(
    merger: Client, pair: dict[str, Any], make_user: Callable[..., Any]
) -> None:
    boss = make_user(is_staff=True)
    page = merger.post(reverse(NEW), {**pair, "loser": str(boss.pk)})
    assert "has privileges" in page.content.decode()
    assert not Merge.objects.filter(state=Merge.State.DONE).exists()


def test_search_finds_the_merges_of_a_user(merger: Client, pair: dict[str, Any]) -> None:
    merger.post(reverse(NEW), pair)
    for term, found in ((pair["loser"], 1), (pair["winner"], 1), ("nobody", 0)):
        page = merger.get(reverse(LIST), {"q": term})
        assert len(page.context["cl"].result_list) == found


def test_conflict_is_gone_from_the_list_after_its_merge(
    merger: Client, make_person: Callable[..., Any]
) -> None:
    person = make_person(conflict=True)
    pair = {"winner": person.holder.pk, "loser": person.user.pk}
    merger.post(reverse(NEW), pair)
    assert not WechatIdentity.objects.filter(union_conflict_at__isnull=False).exists()
