"""The audit trail in the admin: read by who may, changed by nobody."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from wxauth.admin.audit import mask
from wxauth.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]

LIST = "/admin/wxauth/auditevent/"
Kind = AuditEvent.Kind
NUMBER = "+8613800138000"


@pytest.fixture
def record(make_user):
    """Return a function that records an event of a new user."""

    def record(kind=Kind.PHONE_BOUND, user=None, actor=None, **fields):
        user = user or make_user()
        fields = {"app": "default", "facts": {"phone": "+86138****8000"}, **fields}
        return AuditEvent.objects.record(kind, user=user, actor=actor, **fields)

    return record


def found(response):
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


def queries_of(client, url):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def page(event, name="change"):
    return reverse(f"admin:wxauth_auditevent_{name}", args=[event.pk], current_app="admin")


def test_superuser_can_add_change_and_delete_nothing(boss, record):
    event = record()
    rows = list(AuditEvent.objects.values())

    assert boss.get(page(event)).status_code == 200
    for url in (page(event, "delete"), f"{LIST}add/"):
        assert boss.get(url).status_code == boss.post(url, {"post": "yes"}).status_code == 403
    changes = {"kind": "exported", "app": "x", "facts": "{}", "_save": "Save"}
    assert boss.post(page(event), changes).status_code == 403
    action = {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"}
    boss.post(LIST, action)

    assert list(AuditEvent.objects.values()) == rows
    assert b"delete_selected" not in boss.get(LIST).content


def test_permissions_to_change_and_delete_give_nothing(staff, record):
    event = record()
    viewer = staff(*(f"wxauth.{verb}_auditevent" for verb in ("view", "add", "change", "delete")))

    assert viewer.get(LIST).status_code == 200
    assert viewer.post(page(event, "delete"), {"post": "yes"}).status_code == 403
    assert viewer.post(page(event), {"app": "x"}).status_code == 403
    assert viewer.get(f"{LIST}add/").status_code == 403


def test_who_may_not_view_sees_nothing(staff, record):
    event = record()
    other = staff("wxauth.view_loginsession")

    assert other.get(LIST).status_code == other.get(page(event)).status_code == 403


def test_user_with_events_can_be_deleted_in_the_admin(boss, record):
    event = record()
    opts = get_user_model()._meta
    url = f"/with_users/{opts.app_label}/{opts.model_name}/{event.user_id}/delete/"

    assert boss.post(url, {"post": "yes"}).status_code == 302
    assert AuditEvent.objects.get().user is None


def test_fifty_rows_cost_as_many_queries_as_one(boss, record, make_user):
    record(actor=make_user())
    boss.get(LIST)
    few = queries_of(boss, LIST)
    for _ in range(49):
        record(actor=make_user())

    assert queries_of(boss, LIST) == few <= 4


def test_uid_finds_the_events_of_the_user_and_no_others(boss, record):
    event, _other = record(), record()

    assert found(boss.get(LIST, {"q": f" {event.user_id} "})) == {event.pk}


def test_uid_of_a_deleted_user_finds_the_events(boss, record):
    event = record()
    event.user.delete()

    assert found(boss.get(LIST, {"q": event.user_key})) == {event.pk}
    assert f"uid {event.user_key}" in boss.get(LIST).content.decode()


@pytest.mark.parametrize("what", ["openid", "unionid", "number"])
def test_other_ids_of_the_user_find_the_events(boss, record, make_person, what):
    person = make_person()
    event, _other = record(user=person.user), record()
    ids = {
        "openid": person.identity.openid,
        "unionid": person.union.unionid,
        "number": person.phone.number,
    }

    assert found(boss.get(LIST, {"q": ids[what]})) == {event.pk}
    assert found(boss.get(LIST, {"q": ids[what][:-1]})) == set()


@pytest.mark.parametrize("term", ["9" * 10_000, "１", "1_0", "%", "\ud83d", "😀", "'\";--"])
def test_nonsense_in_the_search_box_finds_nobody(boss, record, term):
    record()

    assert found(boss.get(LIST, {"q": term.encode("utf-8", "surrogatepass")})) == set()


def test_filters_by_kind_app_and_date(boss, record):
    event = record(Kind.MERGED)
    old = record(Kind.MERGED, app="second", at=timezone.now() - timedelta(days=99))
    record()

    assert found(boss.get(LIST, {"kind__exact": "merged"})) == {event.pk, old.pk}
    assert found(boss.get(LIST, {"kind__exact": "merged", "app": "second"})) == {old.pk}
    since = (timezone.now() - timedelta(days=7)).isoformat()
    recent = boss.get(LIST, {"kind__exact": "merged", "at__gte": since})
    assert found(recent) == {event.pk}


def test_masked_facts_cannot_be_guessed_by_a_filter(staff, record):
    record()
    viewer = staff("wxauth.view_auditevent")

    for lookup in ("facts__phone", "facts__phone__startswith", "facts__icontains"):
        assert viewer.get(f"{LIST}?{lookup}=%2B86").status_code == 400


def test_whole_number_that_got_into_the_facts_is_masked(boss, record):
    event = record(facts={"phone": NUMBER, "told": "by 13800138000 today", "list": [NUMBER]})

    content = boss.get(page(event)).content.decode()

    assert "13800138000" not in content
    assert "+86138****8000" in content
    assert "facts: " not in content


@pytest.mark.static
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (NUMBER, "+86138****8000"),
        ("+86138****8000", "+86138****8000"),
        ("13800138000", "138****8000"),
        ("4711", "4711"),
        ("0b6f4a1e-1111-4222-8333-944445555666", "0b6f4a1e-1111-4222-8333-944445555666"),
    ],
)
def test_numbers_are_masked_and_keys_are_not(text, shown):
    assert mask(text) == shown


def test_facts_are_escaped_and_may_be_of_any_kind(boss, record):
    for facts in ({"a": "<script>alert(1)</script>"}, ["x"], "y", {}, 5):
        event = record(facts=facts)
        content = boss.get(page(event)).content.decode()
        assert "<script>alert(1)" not in content


def test_events_link_to_user_and_actor_where_there_are_pages(boss, record, make_user):
    actor = make_user()
    event = record(actor=actor)
    opts = get_user_model()._meta
    for site, there in (("with_users", True), ("without_users", False)):
        content = boss.get(f"/{site}/wxauth/auditevent/").content.decode()
        for key in (event.user_id, actor.pk):
            assert (f"/{site}/{opts.app_label}/{opts.model_name}/{key}/" in content) is there


def test_other_pages_lead_to_the_events_of_the_user(boss, record, make_person):
    person = make_person()
    event, _other = record(user=person.user), record()
    url = reverse("admin:wxauth_wechatidentity_change", args=[person.identity.pk])
    link = f"{LIST}?user={person.user.pk}"

    assert link in boss.get(url).content.decode()
    assert found(boss.get(link)) == {event.pk}


def test_admin_passes_djangos_own_checks():
    assert admin.site.check(None) == []
