"""The pages of single rows, the actions, and who may do what."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from wxauth import services, session_keys
from wxauth.admin.inlines import LATEST
from wxauth.exceptions import WechatSessionStale
from wxauth.models import (
    LoginSession,
    PhoneNumber,
    ProviderToken,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.models.provider_token import TokenTexts
from wxauth.signals import user_logged_out

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]

MODELS = [WechatIdentity, WechatUnion, WechatProfile, PhoneNumber, Referral, LoginSession]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROWS = {
    WechatIdentity: "identity",
    WechatUnion: "union",
    WechatProfile: "profile",
    PhoneNumber: "phone",
    Referral: "referral",
    LoginSession: "session",
}
EVERY_FIELD = {
    "openid": "oStolen", "unionid": "oStolen", "app_id": "wxstolen", "scope": "stolen",
    "number": "+8613900000000", "nickname": "stolen", "gender": "1", "ext": "{}",
    "avatar_url": "https://example.com/a.png", "consent_version": "stolen", "app": "stolen",
    "source": "sms", "generation": "99", "user_agent": "stolen", "ip_address": "192.0.2.99",
    "expires_at_0": "2099-01-01", "expires_at_1": "00:00",
}  # fmt: skip
PREFIXES = [
    "wxauth_profile", "wxauth_identities", "wxauth_phone", "wxauth_referral", "wxauth_sessions",
]  # fmt: skip


def model_ids(model):
    return model._meta.model_name


def page_url(row, page="change", site="admin"):
    opts = row._meta
    name = f"admin:{opts.app_label}_{opts.model_name}_{page}"
    return reverse(name, args=[row.pk], current_app=site)


def list_url(model, page="changelist"):
    return reverse(f"admin:wxauth_{model._meta.model_name}_{page}")


def everything():
    return {model: list(model.objects.order_by("pk").values()) for model in MODELS}


def permissions(verb, *models):
    return [f"wxauth.{verb}_{model._meta.model_name}" for model in models]


@pytest.fixture
def signed_out():
    """Return the list of what ``user_logged_out`` tells from now on."""
    told = []

    def listen(signal, user, sessions, **kwargs):
        told.append((user.pk, set(sessions)))

    user_logged_out.connect(listen)
    yield told
    user_logged_out.disconnect(listen)


# Who may do what


@pytest.mark.parametrize("model", MODELS, ids=model_ids)
def test_staff_without_permissions_sees_nothing(staff, make_person, model):
    row = getattr(make_person(), ROWS[model])
    client = staff()

    assert "wxauth" not in client.get(reverse("admin:index")).content.decode()
    for url in (list_url(model), page_url(row), page_url(row, "delete"), list_url(model, "add")):
        assert client.get(url).status_code == 403


def test_user_who_is_no_staff_is_sent_to_the_login(client, make_user, make_person):
    make_person()
    client.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")

    assert client.get(list_url(LoginSession)).status_code == 302


@pytest.mark.parametrize("model", MODELS, ids=model_ids)
def test_viewer_can_read_and_change_nothing(staff, make_person, model):
    person = make_person(conflict=True)
    row = getattr(person, ROWS[model])
    viewer = staff(*permissions("view", *MODELS))
    before = everything()

    assert viewer.get(list_url(model)).status_code == 200
    assert viewer.get(page_url(row)).status_code == 200
    for url in (page_url(row), page_url(row, "delete"), list_url(model, "add")):
        assert (
            viewer.post(url, {**EVERY_FIELD, "user": person.user.pk, "post": "yes"}).status_code
            == 403
        )
    for action in ("revoke", "sign_out_everywhere", "delete_selected"):
        viewer.post(list_url(model), {"action": action, "_selected_action": row.pk, "post": "yes"})
    assert everything() == before


@pytest.mark.parametrize("model", MODELS, ids=model_ids)
def test_nobody_adds_rows_by_hand(boss, model):
    assert boss.get(list_url(model, "add")).status_code == 403
    assert boss.post(list_url(model, "add"), EVERY_FIELD).status_code == 403


@pytest.mark.parametrize("model", [m for m in MODELS if m is not WechatProfile], ids=model_ids)
def test_superuser_changes_no_fact(boss, make_person, model):
    row = getattr(make_person(), ROWS[model])
    before = everything()

    assert boss.post(page_url(row), EVERY_FIELD).status_code == 403
    assert everything() == before


def test_editor_changes_what_a_user_says_and_not_what_they_agreed_to(staff, make_person, make_user):
    profile = make_person().profile
    editor = staff("wxauth.change_wechatprofile")

    response = editor.post(
        page_url(profile), {**EVERY_FIELD, "user": make_user().pk, "ext": '{"a": 1}'}
    )

    assert response.status_code == 302
    changed = WechatProfile.objects.get()
    assert (changed.nickname, changed.gender, changed.ext) == ("stolen", 1, {"a": 1})
    assert (changed.user_id, changed.app, changed.consent_version) == (
        profile.user_id,
        "default",
        "",
    )


# What a page shows


@pytest.mark.parametrize("model", MODELS, ids=model_ids)
@pytest.mark.parametrize("site", ["with_users", "without_users"])
def test_page_links_to_the_user_if_there_is_a_page(boss, make_person, model, site):
    person = make_person(conflict=True)
    row = getattr(person, ROWS[model])

    page = boss.get(page_url(row, site=site)).content.decode()

    user = person.holder if model is WechatUnion else person.user
    opts = user._meta
    link = f'href="/{site}/{opts.app_label}/{opts.model_name}/'
    assert (link in page) is (site == "with_users")
    assert str(user) in page


def test_whole_number_is_for_those_who_may_change_it(staff, make_person):
    phone = make_person().phone
    viewer, editor = staff("wxauth.view_phonenumber"), staff("wxauth.change_phonenumber")

    assert phone.number not in viewer.get(page_url(phone)).content.decode()
    assert phone.masked in viewer.get(page_url(phone)).content.decode()
    assert phone.number in editor.get(page_url(phone)).content.decode()
    assert phone.number not in editor.get(list_url(PhoneNumber)).content.decode()


@pytest.mark.parametrize("page", ["delete", "history"])
def test_other_pages_of_a_number_show_it_masked(boss, make_person, page):
    phone = make_person().phone

    assert phone.number not in boss.get(page_url(phone, page)).content.decode()


@pytest.mark.parametrize("model", MODELS, ids=model_ids)
def test_no_page_shows_a_session_key_or_a_secret(boss, make_person, app, model):
    person = make_person()
    session_keys.keep(person.session.id, "c2Vzc2lvbi1rZXktMDAwMA==")

    page = boss.get(page_url(getattr(person, ROWS[model]))).content.decode()

    assert "c2Vzc2lvbi1rZXktMDAwMA" not in page
    assert app.app_secret not in page


@pytest.mark.parametrize(
    "key", ["nonsense", "9" * 60, "0b6f4a1e-1111-4222-8333-944445555666", "_00"]
)
@pytest.mark.parametrize("model", MODELS, ids=model_ids)
def test_page_of_a_nonsense_key_leads_back(boss, model, key):
    assert (
        boss.get(reverse(f"admin:wxauth_{model_ids(model)}_change", args=[key])).status_code == 302
    )


# Ending sessions


def test_revoking_ends_the_selected_sessions(
    staff, make_person, signed_out, django_capture_on_commit_callbacks
):
    chosen, other = [make_person(), make_person()], make_person()
    for person in (*chosen, other):
        session_keys.keep(person.session.id, "key of somebody")
    editor = staff("wxauth.change_loginsession")
    chosen_ids = [person.session.pk for person in chosen]

    with django_capture_on_commit_callbacks(execute=True):
        response = editor.post(
            list_url(LoginSession),
            {"action": "revoke", "_selected_action": chosen_ids},
            follow=True,
        )

    assert "2 sessions have been ended." in response.content.decode()
    ended = LoginSession.objects.filter(revoked_at__isnull=False).values_list("pk", flat=True)
    assert set(ended) == set(chosen_ids)
    assert sorted(signed_out, key=str) == sorted(
        [(person.user.pk, {person.session.pk}) for person in chosen], key=str
    )
    for sid in chosen_ids:
        with pytest.raises(WechatSessionStale):
            session_keys.fetch(sid)
    assert session_keys.fetch(other.session.pk) == "key of somebody"
    assert {entry.object_id for entry in LogEntry.objects.all()} == set(map(str, chosen_ids))


def test_revoking_twice_tells_nobody_again(
    boss, make_person, signed_out, django_capture_on_commit_callbacks
):
    session = make_person().session
    data = {"action": "revoke", "_selected_action": [session.pk]}

    with django_capture_on_commit_callbacks(execute=True):
        boss.post(list_url(LoginSession), data)
        first = LoginSession.objects.get().revoked_at
        response = boss.post(list_url(LoginSession), data, follow=True)

    assert "0 sessions have been ended." in response.content.decode()
    assert LoginSession.objects.get().revoked_at == first
    assert len(signed_out) == 1


def test_signing_out_everywhere_ends_all_sessions_of_these_users(staff, make_person):
    person, other = make_person(), make_person()
    make_session(person.user)
    client = staff("wxauth.view_wechatidentity", "wxauth.change_loginsession")

    client.post(
        list_url(WechatIdentity),
        {"action": "sign_out_everywhere", "_selected_action": [person.identity.pk]},
    )

    assert LoginSession.objects.filter(revoked_at__isnull=False).count() == 2
    assert LoginSession.objects.get(revoked_at=None) == other.session


def test_signing_out_everywhere_takes_the_permission_on_sessions(staff, make_person):
    person = make_person()
    client = staff("wxauth.change_wechatidentity", "wxauth.view_loginsession")

    client.post(
        list_url(WechatIdentity),
        {"action": "sign_out_everywhere", "_selected_action": [person.identity.pk]},
    )

    assert LoginSession.objects.get().revoked_at is None


@pytest.mark.parametrize("way", ["page", "action"])
def test_deleting_an_identity_ends_its_sessions(boss, make_person, way):
    person = make_person()
    elsewhere = make_session(person.user)

    if way == "page":
        boss.post(page_url(person.identity, "delete"), {"post": "yes"})
    else:
        selected = {"_selected_action": [person.identity.pk]}
        boss.post(
            list_url(WechatIdentity), {"action": "delete_selected", "post": "yes", **selected}
        )

    assert not WechatIdentity.objects.exists()
    assert not LoginSession.objects.get(pk=person.session.pk).is_open(timezone.now())
    assert LoginSession.objects.get(pk=elsewhere.pk).is_open(timezone.now())


@pytest.mark.parametrize("way", ["page", "action"])
def test_deleting_a_session_signs_out(
    boss, make_person, way, signed_out, django_capture_on_commit_callbacks
):
    person = make_person()

    with django_capture_on_commit_callbacks(execute=True):
        if way == "page":
            boss.post(page_url(person.session, "delete"), {"post": "yes"})
        else:
            selected = {"_selected_action": [person.session.pk]}
            boss.post(
                list_url(LoginSession), {"action": "delete_selected", "post": "yes", **selected}
            )

    assert not LoginSession.objects.exists()
    assert signed_out == [(person.user.pk, {person.session.pk})]


def test_ending_many_sessions_counts_those_that_were_open(make_person):
    people = [make_person() for _ in range(3)]
    services.logout(session=people[0].session)

    ended = services.end_sessions(sessions=LoginSession.objects.select_related("user"))

    assert ended == 2
    assert not LoginSession.objects.filter(revoked_at=None).exists()


# The host's user admin


def make_session(user, *, age=timedelta(0)):
    now = timezone.now()
    return LoginSession.objects.create(
        user=user, created_at=now - age, rotated_at=now, expires_at=now + timedelta(days=1)
    )


def user_form(page, **fields):
    """Return what a browser would send back of a user's page."""
    data = {"is_active": "on"}
    for formset in page.context["inline_admin_formsets"]:
        management = formset.formset.management_form
        data |= {management.add_prefix(name): value for name, value in management.initial.items()}
        for form in formset.formset.initial_forms:
            data[form.add_prefix(form._meta.model._meta.pk.name)] = form.instance.pk
            data[form.add_prefix(formset.formset.fk.name)] = form.instance.__dict__[
                formset.formset.fk.attname
            ]
    return {**data, **fields}


def test_user_page_with_many_rows_costs_as_many_queries_as_with_one(
    boss, make_person, make_user, app
):
    person = make_person()
    url = page_url(person.user, site="with_users")
    boss.get(url)
    with CaptureQueriesContext(connection) as few:
        assert person.identity.openid in boss.get(url).content.decode()

    for number in range(29):
        WechatIdentity.objects.create(
            user=person.user,
            app_id=f"wx{number}",
            openid=f"o{number}",
            unionid=f"u{number}",
            union_conflict_at=timezone.now(),
        )
        make_session(person.user)
    with CaptureQueriesContext(connection) as many:
        page = boss.get(url).content.decode()

    assert page.count("field-openid") > 29
    assert len(many) == len(few) <= 9


def test_user_page_names_the_holder_of_a_unionid_in_conflict(boss, make_person):
    person = make_person(conflict=True)

    page = boss.get(page_url(person.user, site="with_users")).content.decode()

    assert f">uid {person.holder.pk}</a>" in page


def test_user_page_shows_the_latest_sessions_only(boss, make_person):
    person = make_person()
    for hours in range(1, LATEST + 5):
        make_session(person.user, age=timedelta(hours=hours))

    page = boss.get(page_url(person.user, site="with_users"))

    shown = [
        form.instance.pk
        for formset in page.context["inline_admin_formsets"]
        if formset.formset.model is LoginSession
        for form in formset.formset.initial_forms
    ]
    latest = LoginSession.objects.order_by("-created_at").values_list("pk", flat=True)
    assert shown == list(latest[:LATEST])


def test_user_page_can_be_saved_although_a_session_began_meanwhile(boss, make_person):
    person = make_person()
    for hours in range(1, LATEST + 5):
        make_session(person.user, age=timedelta(hours=hours))
    url = page_url(person.user, site="with_users")
    data = user_form(boss.get(url), **{"wxauth_profile-0-nickname": "Corrected"})
    data["wxauth_profile-0-gender"] = 2
    make_session(person.user)
    sessions = list(LoginSession.objects.order_by("pk").values())

    response = boss.post(url, data)

    assert response.status_code == 302, response.context["errors"]
    assert WechatProfile.objects.get(user=person.user).nickname == "Corrected"
    assert list(LoginSession.objects.order_by("pk").values()) == sessions


def test_user_page_changes_none_of_the_facts(boss, make_person):
    person = make_person()
    url = page_url(person.user, site="with_users")
    data = user_form(boss.get(url))
    for prefix in PREFIXES[1:]:
        data |= {f"{prefix}-0-{name}": value for name, value in EVERY_FIELD.items()}
        data[f"{prefix}-0-DELETE"] = "on"
    data |= {"wxauth_profile-0-nickname": person.profile.nickname, "wxauth_profile-0-gender": "0"}
    before = everything()

    assert boss.post(url, data).status_code == 302
    assert everything() == before


def test_user_page_of_a_viewer_has_no_inline_to_change(staff, make_person):
    person = make_person()
    opts = get_user_model()._meta
    client = staff(f"{opts.app_label}.change_{opts.model_name}", *permissions("view", *MODELS))
    url = page_url(person.user, site="with_users")
    page = client.get(url)
    before = everything()

    assert person.phone.number not in page.content.decode()
    assert (
        client.post(url, user_form(page, **{"wxauth_profile-0-nickname": "stolen"})).status_code
        == 302
    )
    assert everything() == before


def test_user_page_shows_nothing_of_ours_without_permission(staff, make_person):
    person = make_person()
    opts = get_user_model()._meta
    client = staff(f"{opts.app_label}.change_{opts.model_name}")

    page = client.get(page_url(person.user, site="with_users")).content.decode()

    assert person.identity.openid not in page
    assert person.phone.masked not in page


def test_user_without_any_of_our_rows_gets_none_by_hand(boss, make_user):
    url = page_url(make_user(), site="with_users")
    page = boss.get(url)
    data = user_form(page)
    for prefix in PREFIXES:
        data |= {f"{prefix}-TOTAL_FORMS": 1, f"{prefix}-INITIAL_FORMS": 0}
        data |= {f"{prefix}-0-{name}": value for name, value in EVERY_FIELD.items()}

    assert "inline-group" not in page.content.decode()
    assert boss.post(url, data).status_code == 302
    assert not any(model.objects.exists() for model in MODELS)


def test_user_can_be_deleted_with_all_that_is_theirs(boss, make_person):
    person = make_person()

    response = boss.post(page_url(person.user, "delete", site="with_users"), {"post": "yes"})

    assert response.status_code == 302
    assert not any(model.objects.exists() for model in MODELS)


def test_new_user_is_made_with_no_rows_of_ours(boss):
    opts = get_user_model()._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_add", current_app="with_users")

    page = boss.get(url)
    assert page.status_code == 200
    assert "inline-group" not in page.content.decode()


def test_identity_tells_of_a_kept_grant_and_not_the_tokens(make_person, boss):
    identity = make_person().identity
    url = reverse("admin:wxauth_wechatidentity_change", args=[identity.pk])
    assert "snsapi_login" not in boss.get(url).content.decode()
    row = ProviderToken(identity=identity, scope="snsapi_login", access_ends_at=NOW, ends_at=NOW)
    row.close(TokenTexts("the-access-token", "the-refresh-token"))
    row.save()
    text = boss.get(url).content.decode()
    assert "snsapi_login, Nov. 20, 2026" in text
    assert "-token" not in text


def test_address_that_is_corrected_may_be_copied_again(make_person, boss):
    profile = make_person().profile
    WechatProfile.objects.filter(pk=profile.pk).update(avatar_refused_at=NOW)
    url = reverse("admin:wxauth_wechatprofile_change", args=[profile.pk])
    fields = {"nickname": "a", "gender": "0", "ext": "{}", "avatar_url": profile.avatar_url}
    assert boss.post(url, fields).status_code == 302
    profile.refresh_from_db()
    assert profile.avatar_refused_at == NOW
    boss.post(url, {**fields, "avatar_url": "https://a.example/b.png"})
    profile.refresh_from_db()
    assert profile.avatar_refused_at is None
