"""The lists: what they show, how many queries they cost, and what can be found."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.admin.urls import with_users, without_users
from wxauth.admin.sessions import name_device
from wxauth.models import LoginSession, PhoneNumber, WechatIdentity, WechatProfile

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]

MODELS = [
    "wechatidentity", "wechatunion", "wechatprofile", "phonenumber", "referral", "loginsession",
]  # fmt: skip
SECRETS = ["made-up-secret", "session_key", "app_secret"]
NONSENSE = {
    "spaces": "   ",
    "nul": "a\0b",
    "overlong": "9" * 10_000,
    "huge number": "9" * 60,
    "letters": "abc",
    "other digits": "１２３",
    "underscore": "1_0",
    "quotes": "'\";--",
    "percent": "%",
    "plus only": "+",
    "brackets": "((((((",
    "uuid": "0b6f4a1e-1111-4222-8333-944445555666",
    "half a surrogate": b"\xed\xa0\x80",
    "emoji": "😀",
}


def list_url(model, site="admin"):
    return reverse("admin:index", current_app=site) + f"wxauth/{model}/"


def found(response):
    """Return the keys of the rows that a list shows."""
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


def queries_of(client, url):
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url)
    assert response.status_code == 200
    return len(queries)


@pytest.mark.parametrize("site", [admin.site, with_users, without_users], ids=lambda s: s.name)
def test_each_admin_passes_djangos_own_checks(site):
    assert site.check(None) == []
    assert checks.run_checks(tags=[checks.Tags.admin]) == []


@pytest.mark.parametrize("model", MODELS)
def test_thirty_rows_cost_as_many_queries_as_one(boss, make_person, model):
    make_person(conflict=True)
    make_person()
    boss.get(list_url(model))  # the content types are cached from now on
    few = queries_of(boss, list_url(model))

    for number in range(28):
        make_person(conflict=number % 2 == 0)

    response = boss.get(list_url(model))
    assert response.context["cl"].result_count >= 30
    assert queries_of(boss, list_url(model)) == few <= 4


@pytest.mark.parametrize("model", MODELS)
def test_search_costs_a_fixed_number_of_queries(boss, make_person, model):
    person = make_person()
    few = queries_of(boss, f"{list_url(model)}?q={person.user.pk}")

    for _ in range(9):
        make_person(user=None)

    assert queries_of(boss, f"{list_url(model)}?q={person.user.pk}") == few <= 9


@pytest.mark.parametrize("model", MODELS)
def test_list_shows_neither_secret_nor_whole_number(boss, make_person, model):
    person = make_person()

    page = boss.get(list_url(model)).content.decode()

    assert person.phone.number not in page
    assert person.phone.number[3:] not in page
    assert not [secret for secret in SECRETS if secret in page]


def test_phone_list_shows_the_masked_number(boss, make_person):
    person = make_person()

    assert person.phone.masked in boss.get(list_url("phonenumber")).content.decode()


def test_numbers_cannot_be_guessed_by_a_filter(staff, make_person):
    person = make_person()
    viewer = staff("wxauth.view_phonenumber")

    for lookup in ("number", "number__startswith", "number__contains"):
        response = viewer.get(f"{list_url('phonenumber')}?{lookup}=%2B86")
        assert response.status_code == 400
    response = staff("wxauth.view_loginsession").get(
        f"{list_url('loginsession')}?user__wxauth_phone__number__startswith=%2B86"
    )
    assert response.status_code == 400
    assert person.phone.number.encode() not in response.content


# Search


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("what", ["uid", "openid", "unionid", "e164", "national", "without plus"])
def test_exact_id_finds_the_rows_of_that_person(boss, make_person, model, what):
    person = make_person()
    make_person()
    term = {
        "uid": person.user.pk,
        "openid": person.identity.openid,
        "unionid": person.union.unionid,
        "e164": person.phone.number,
        "national": person.phone.number[3:],
        "without plus": person.phone.number[1:],
    }[what]
    row = {
        "wechatidentity": person.identity,
        "wechatunion": person.union,
        "wechatprofile": person.profile,
        "phonenumber": person.phone,
        "referral": person.referral,
        "loginsession": person.session,
    }[model]

    assert found(boss.get(list_url(model), {"q": f" {term} "})) == {row.pk}


def test_number_typed_with_spaces_is_found(boss, make_person):
    person = make_person()
    number = person.phone.number
    typed = f"{number[:3]} ({number[3:6]}) {number[6:10]}-{number[10:]}"

    assert found(boss.get(list_url("phonenumber"), {"q": typed})) == {person.phone.pk}


def test_national_number_of_another_country_is_found(boss, make_user):
    phone = PhoneNumber.objects.create(
        user=make_user(), number="+85251234567", source="phone_code", verified_at=timezone.now()
    )

    assert found(boss.get(list_url("phonenumber"), {"q": "51234567"})) == {phone.pk}


@pytest.mark.parametrize("cut", [slice(1, None), slice(None, -1), slice(4, 9)])
def test_part_of_an_id_finds_nobody(boss, make_person, cut):
    person = make_person()

    for term in (person.identity.openid, person.union.unionid, person.phone.number[3:]):
        for model in MODELS:
            assert found(boss.get(list_url(model), {"q": term[cut]})) == set()


def test_openid_of_other_case_is_another_person(boss, make_person):
    person = make_person()

    for term in (person.identity.openid.swapcase(), person.union.unionid.swapcase()):
        assert found(boss.get(list_url("wechatidentity"), {"q": term})) == set()


def test_openid_finds_one_identity_and_uid_finds_all(boss, make_person):
    person = make_person()
    other = WechatIdentity.objects.create(user=person.user, app_id="wx2", openid="oOther")
    url = list_url("wechatidentity")

    assert found(boss.get(url, {"q": "oOther"})) == {other.pk}
    assert found(boss.get(url, {"q": person.user.pk})) == {other.pk, person.identity.pk}


def test_sid_finds_the_session(boss, make_person):
    person = make_person()
    make_person()

    for term in (str(person.session.id), person.session.id.hex):
        assert found(boss.get(list_url("loginsession"), {"q": term})) == {person.session.id}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("term", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_in_the_search_box_finds_nobody(boss, make_person, model, term):
    make_person()

    response = boss.get(list_url(model), {"q": term})

    assert response.status_code == 200
    if isinstance(term, str) and term.strip() and "\0" not in term:
        assert found(response) == set()


def test_uid_is_typed_as_it_is_written(boss, make_person):
    person = make_person()

    term = f"0_{person.user.pk}"  # the same number to int()
    assert found(boss.get(list_url("wechatprofile"), {"q": term})) == set()


# Filters


@pytest.mark.parametrize("model", MODELS)
def test_nonsense_in_a_filter_is_no_server_error(boss, make_person, model):
    make_person()
    names = ["conflict", "app", "scope", "state", "user", "gender__exact", "source__exact"]

    for name in names:
        for value in ("zzz", "9" * 60 if name != "user" else "-1", "😀"):
            assert boss.get(list_url(model), {name: value}).status_code in (200, 302)


def test_conflict_filter_and_column_name_the_holder(boss, make_person):
    make_person()
    person = make_person(conflict=True)

    response = boss.get(list_url("wechatidentity", "with_users"), {"conflict": "yes"})

    assert found(response) == {person.identity.pk}
    opts = get_user_model()._meta
    link = f"/with_users/{opts.app_label}/{opts.model_name}/"
    assert f">uid {person.holder.pk}</a>" in response.content.decode()
    assert link in response.content.decode()


def test_conflict_whose_union_is_gone_belongs_to_nobody(boss, make_person):
    person = make_person(conflict=True)
    person.union.delete()

    assert "nobody" in boss.get(list_url("wechatidentity")).content.decode()


def test_holder_is_looked_for_in_the_scope_of_the_app(boss, make_person, make_user, foreign_app):
    person = make_person(conflict=True)
    WechatIdentity.objects.filter(pk=person.identity.pk).update(app_id=foreign_app.app_id)

    page = boss.get(list_url("wechatidentity")).content.decode()

    assert f"uid {person.holder.pk}" not in page


@pytest.mark.parametrize(
    ("model", "parameter", "value", "other"),
    [
        ("wechatidentity", "app", "wx0a1b2c3d4e5f6071", "wx1b2c3d4e5f607182"),
        ("wechatunion", "scope", "main", "elsewhere"),
        ("wechatprofile", "app", "default", "second"),
        ("loginsession", "app", "default", "second"),
        ("loginsession", "state", "open", "revoked"),
        ("loginsession", "state", "open", "expired"),
    ],
)
def test_filter_keeps_its_rows_only(boss, make_person, model, parameter, value, other):
    make_person()

    assert len(found(boss.get(list_url(model), {parameter: value}))) == 1
    assert found(boss.get(list_url(model), {parameter: other})) == set()


def test_revoked_and_expired_sessions_have_their_filters(boss, make_person):
    revoked, expired = make_person().session, make_person().session
    now = timezone.now()
    LoginSession.objects.filter(pk=revoked.pk).update(revoked_at=now, expires_at=now)
    LoginSession.objects.filter(pk=expired.pk).update(expires_at=now)

    response = boss.get(list_url("loginsession"), {"state": "revoked"})
    assert found(response) == {revoked.pk}
    assert 'class="field-state">revoked' in response.content.decode()
    response = boss.get(list_url("loginsession"), {"state": "expired"})
    assert found(response) == {expired.pk}
    assert 'class="field-state">expired' in response.content.decode()


# Links


@pytest.mark.parametrize("model", MODELS)
def test_list_links_to_the_user(boss, make_person, model):
    person = make_person()
    opts = get_user_model()._meta

    for site, there in (("with_users", True), ("without_users", False)):
        page = boss.get(list_url(model, site)).content.decode()
        link = f'href="/{site}/{opts.app_label}/{opts.model_name}/'
        assert (link in page) is there
        assert str(person.user) in page


def test_links_between_the_lists_of_one_user_lead_to_their_rows(boss, make_person):
    person = make_person()
    make_person()
    opts = WechatIdentity._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[person.identity.pk])
    page = boss.get(url).content.decode()

    for model in MODELS:
        link = f"{list_url(model)}?{'referee' if model == 'referral' else 'user'}={person.user.pk}"
        assert f'href="{link}"' in page
        assert len(found(boss.get(link))) == 1


def test_user_without_a_name_is_shown_by_uid(boss, make_person, monkeypatch):
    person = make_person()
    monkeypatch.setattr(get_user_model(), "__str__", lambda user: None)

    for model in MODELS:
        assert f">{person.user.pk}<" in boss.get(list_url(model, "with_users")).content.decode()


def test_nickname_is_escaped(boss, make_person):
    person = make_person()
    WechatProfile.objects.filter(user=person.user).update(nickname="<script>alert(1)</script>")

    for model in ("wechatidentity", "wechatprofile"):
        assert b"<script>alert(1)" not in boss.get(list_url(model)).content


def test_identity_of_a_user_without_profile_is_listed(boss, make_person):
    person = make_person()
    person.profile.delete()

    assert found(boss.get(list_url("wechatidentity"))) == {person.identity.pk}


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0.54 zh",
            "iPhone, WeChat 8.0.54",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; M2 Build/1) Chrome/116 MicroMessenger/8.0.50(0x28)",
            "Android 14, WeChat 8.0.50",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 256, "x" * 39 + "…"),
        ("", ""),
    ],
    ids=["iphone", "android", "no phone", "overlong", "none"],
)
def test_device_is_named_in_few_words(user_agent, name):
    assert name_device(user_agent).replace("\N{NO-BREAK SPACE}", " ") == name
