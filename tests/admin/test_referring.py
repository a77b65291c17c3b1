"""The tree and the leaderboard beside the list of referrals, and invite codes."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from wxauth.admin import referring
from wxauth.models import InviteCode, Referral

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]

LIST = "/admin/wxauth/referral/"
TREE, LEADERS = f"{LIST}tree/", f"{LIST}leaders/"


@pytest.fixture
def invite(make_user):
    """Return a function that makes users whom ``referrer`` has invited."""

    def invite(referrer, number=1, **fields):
        users = [make_user() for _ in range(number)]
        for user in users:
            Referral.objects.create(referee=user, referrer=referrer, **fields)
        return users

    return invite


def tree(client, user, **query):
    response = client.get(TREE, {"user": user.pk, **query})
    assert response.status_code == 200
    return response


def names(response):
    return [row["name"] for row in response.context["rows"]]


def queries_of(client, url):
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url)
        assert response.status_code == 200
    return len(queries)


def test_list_leads_to_both_pages(boss, invite, make_user):
    invite(make_user())
    for site in ("admin", "with_users", "without_users"):
        content = boss.get(f"/{site}/wxauth/referral/").content.decode()
        for name in ("tree", "leaders"):
            url = f"/{site}/wxauth/referral/{name}/"
            assert f'href="{url}"' in content
            assert boss.get(url).status_code == 200


@pytest.mark.parametrize("url", [TREE, LEADERS])
def test_pages_are_for_who_may_view_referrals(staff, client, url):
    assert staff("wxauth.view_referral").get(url).status_code == 200
    assert staff("wxauth.view_auditevent").get(url).status_code == 403
    assert client.get(url).status_code == 302  # to the sign-in of the admin


@pytest.mark.parametrize("url", [TREE, LEADERS])
def test_pages_change_nothing(boss, invite, make_user, url):
    invite(make_user())
    rows = list(Referral.objects.values())
    for method in (boss.post, boss.put, boss.delete):
        assert method(url).status_code == 403
    assert list(Referral.objects.values()) == rows


def test_tree_shows_chain_levels_and_the_invited_with_their_numbers(boss, invite, make_user):
    top = make_user()
    [above] = invite(top)
    [root] = invite(above)
    first, second = invite(root, 2, scene="<b>poster</b>")
    invite(first, 3)
    response = tree(boss, root)
    content = response.content.decode()
    assert [name for _url, name in response.context["chain"]] == [str(top), str(above)]
    assert response.context["levels"] == [(1, 2), (2, 3), (3, 0)]
    rows = {row["name"]: row["number"] for row in response.context["rows"]}
    assert rows == {str(first): 3, str(second): 0}
    assert f"?user={first.pk}" in content
    assert "&lt;b&gt;poster" in content


def test_each_level_is_one_click_below(boss, invite, make_user):
    root = make_user()
    [child] = invite(root)
    [grandchild] = invite(child)
    url = tree(boss, root).context["rows"][0]["url"]
    response = boss.get(url)
    assert names(response) == [str(grandchild)]
    assert response.context["chain"][0][1] == str(root)


def test_tree_costs_the_same_for_one_and_for_fifty(boss, invite, make_user):
    root = make_user()
    [first] = invite(root)
    invite(first)
    boss.get(TREE)
    few = queries_of(boss, f"{TREE}?user={root.pk}")
    for user in invite(root, 60):
        invite(user)
    assert queries_of(boss, f"{TREE}?user={root.pk}") == few <= 10


def test_tree_is_bounded_and_has_pages(boss, invite, make_user, monkeypatch):
    monkeypatch.setattr(referring, "ROWS", 2)
    root = make_user()
    users = invite(root, 5)
    response, shown = tree(boss, root), []
    while True:
        shown += names(response)
        assert len(response.context["rows"]) <= 2
        if not response.context["next"]:
            break
        response = boss.get(response.context["next"])
    assert shown == [str(user) for user in reversed(users)]


def test_chain_is_bounded(boss, invite, make_user, monkeypatch):
    monkeypatch.setattr(referring, "CHAIN", 3)
    user = make_user()
    for _ in range(6):
        [user] = invite(user)
    assert len(tree(boss, user).context["chain"]) == 3


@pytest.mark.parametrize(
    "term", ["0", "x", "a\0b", "9" * 5000, "１", "1_0", "-1", "😀", "0b6f4a1e-1111-4222-8333-9444"]
)
def test_uid_of_nobody_is_told(boss, make_user, term):
    make_user()
    response = boss.get(TREE, {"user": term})
    assert response.status_code == 200
    assert response.context["root"] is None


@pytest.mark.parametrize("before", ["x", "1", "\0", "9" * 99, "１-1"])
def test_page_that_is_none_is_the_first(boss, invite, make_user, before):
    root = make_user()
    [user] = invite(root)
    assert names(tree(boss, root, before=before)) == [str(user)]


def test_leaders_of_the_period_in_their_order(boss, invite, make_user):
    first, second, old = make_user(), make_user(), make_user()
    invite(second, 2)
    invite(first, 3)
    invite(old, 4, created_at=timezone.now() - timedelta(days=60))
    rows = boss.get(LEADERS).context["rows"]
    assert [(row["name"], row["number"]) for row in rows] == [(str(first), 3), (str(second), 2)]
    assert rows[0]["url"].endswith(f"?user={first.pk}")
    rows = boss.get(LEADERS, {"days": "90"}).context["rows"]
    assert [row["name"] for row in rows] == [str(old), str(first), str(second)]
    assert boss.get(LEADERS, {"days": "x"}).context["chosen"] == 30


def test_leaders_cost_the_same_for_one_and_for_many(boss, invite, make_user):
    invite(make_user())
    boss.get(LEADERS)
    few = queries_of(boss, LEADERS)
    for _ in range(60):
        invite(make_user())
    assert queries_of(boss, LEADERS) == few <= 4
    assert len(boss.get(LEADERS).context["rows"]) == 50


def test_deleted_referrer_is_no_leader(boss, invite, make_user):
    user = make_user()
    invite(user, 2)
    user.delete()
    assert boss.get(LEADERS).context["rows"] == []


def test_user_without_a_name_is_shown_by_uid(boss, invite, make_user, monkeypatch):
    root = make_user()
    [user] = invite(root)
    monkeypatch.setattr(get_user_model(), "__str__", lambda user: None)
    assert names(tree(boss, root)) == [str(user.pk)]


# Invite codes


def test_code_is_found_as_people_write_it(boss, make_user):
    code = InviteCode.objects.create(user=make_user(), code="BCDF2345")
    InviteCode.objects.create(user=make_user(), code="BCDF2346")
    url = "/admin/wxauth/invitecode/"
    for term in ("bcdf2345", " BCDF2345 ", str(code.user_id)):
        response = boss.get(url, {"q": term})
        assert {row.pk for row in response.context["cl"].result_list} == {code.pk}
    assert not boss.get(url, {"q": "BCDF234"}).context["cl"].result_list


def test_code_is_neither_added_nor_changed(boss, make_user):
    code = InviteCode.objects.create(user=make_user(), code="BCDF2345")
    assert boss.get("/admin/wxauth/invitecode/add/").status_code == 403
    url = f"/admin/wxauth/invitecode/{code.pk}/change/"
    assert boss.get(url).status_code == 200
    assert boss.post(url, {"code": "BCDF9999"}).status_code == 403
