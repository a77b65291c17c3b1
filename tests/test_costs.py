"""What each route costs: SQL statements, cache calls, calls to WeChat. Counted, not timed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from tests.api.sms import Line
from tests.counting import Counter
from tests.phone import Phone
from wxauth.conf import WechatApp
from wxauth.models import Referral, SmsCode, WechatProfile, WechatUnion
from wxauth.services import read_invite_code
from wxauth.simulator import WechatSimulator
from wxauth.sms.base import SmsMessage

pytestmark = [pytest.mark.usefixtures("recording_cache"), pytest.mark.django_db]

EXCHANGE, PHONE_NUMBER = "/sns/jscode2session", "/wxa/business/getuserphonenumber"


@pytest.fixture
def phone(wechat_simulator: WechatSimulator, app: WechatApp) -> Phone:
    return Phone(wechat_simulator, "alice", app)


@pytest.fixture
def member(phone: Phone) -> Phone:
    """A person who has an account, and nothing else in the cache than from registering."""
    assert phone.sign_in().status_code == 201
    return phone


@pytest.mark.parametrize("route", ["login", "register_simple", "authorize"])
def test_known_person_signs_in_by_three_statements(
    member: Phone, counted: Counter, route: str
) -> None:
    with counted() as costs:
        assert member.sign_in(route).status_code == 200
    assert costs.verbs == ["SELECT", "UPDATE", "INSERT"]
    assert costs.wechat == [EXCHANGE]
    assert costs.beside_rate_limit == [("set", "wxauth:session_key")]


def test_rate_limits_of_a_sign_in_are_one_count_each(member: Phone, counted: Counter) -> None:
    member.sign_in("login")
    with counted() as costs:
        member.sign_in("login")
    counts = [method for method, name in costs.cache if name == "wxauth:throttle"]
    assert counts == ["add", "incr", "add", "incr"], "by address and by person"


@pytest.mark.parametrize("route", ["register_simple", "register_complex", "authorize"])
def test_first_registration_is_at_most_ten_statements(
    phone: Phone, counted: Counter, make_user: Callable[..., Any], route: str
) -> None:
    inviter = make_user()
    body: dict[str, Any] = {"referrer": str(inviter.pk)}
    if route == "register_complex":
        phone.simulator.user(phone.name).nickname = "Zoé"
        body["code"] = phone.code()
        body |= phone.open_data()
    with counted() as costs:
        response = phone.sign_in(route, **body)
    assert response.status_code == 201, response.content
    # Is the openid known, is the unionid; union, user, identity, profile, referral, session.
    assert sorted(costs.verbs) == ["INSERT"] * 6 + ["SELECT"] * 3
    assert costs.wechat == [EXCHANGE]
    used_once = [("add", "wxauth:open_data")] if route == "register_complex" else []
    assert costs.beside_rate_limit == [*used_once, ("set", "wxauth:session_key")]
    assert WechatUnion.objects.exists()
    assert WechatProfile.objects.get().nickname == ("Zoé" if used_once else "")
    assert Referral.objects.get().referrer == inviter


def test_unknown_person_costs_two_looks_and_a_ticket(phone: Phone, counted: Counter) -> None:
    with counted() as costs:
        assert phone.sign_in("login").status_code == 404
    assert costs.verbs == ["SELECT", "SELECT"]
    assert costs.wechat == [EXCHANGE]
    assert costs.beside_rate_limit == [("set", "wxauth:ticket")]


def test_registration_by_ticket_asks_wechat_nothing(phone: Phone, counted: Counter) -> None:
    ticket = phone.ticket()
    with counted() as costs:
        assert phone.sign_in("register_simple", ticket=ticket).status_code == 201
    assert sorted(costs.verbs) == ["INSERT"] * 5 + ["SELECT"] * 2
    assert costs.wechat == []
    assert [method for method, _ in costs.beside_rate_limit] == ["get", "delete", "set"]


def test_known_unionid_in_another_app_costs_five_statements(
    member: Phone, counted: Counter, other_app: WechatApp
) -> None:
    there = Phone(member.simulator, member.name, other_app)
    with counted() as costs:
        assert there.sign_in("login").status_code == 200
    # The third look holds the union: a merge must not give it away meanwhile.
    assert costs.verbs == ["SELECT", "SELECT", "SELECT", "INSERT", "INSERT"]


def test_token_check_is_one_statement_and_no_cache_call(member: Phone, counted: Counter) -> None:
    with counted() as costs:
        response = member.post("check_token", {"token": member.tokens["access"]})
        assert response.status_code == 200
    assert costs.verbs == ["SELECT"]
    assert costs.cache == []
    assert costs.wechat == []


def test_refused_token_costs_nothing(member: Phone, counted: Counter) -> None:
    with counted() as costs:
        assert member.post("check_token", {"token": "x.y.z"}).status_code == 401
    assert (costs.sql, costs.cache, costs.wechat) == ([], [], [])


def test_view_of_the_host_is_guarded_by_one_statement(member: Phone, counted: Counter) -> None:
    with counted() as costs:
        assert member.client.get("/orders/").status_code == 200
    assert costs.verbs == ["SELECT"]
    assert costs.cache == []


def test_refresh_is_one_look_and_one_swap(member: Phone, counted: Counter) -> None:
    with counted() as costs:
        response = member.post("refresh_token", {"refresh": member.tokens["refresh"]})
        assert response.status_code == 200
    assert costs.verbs == ["SELECT", "UPDATE"]
    assert costs.beside_rate_limit == []
    assert costs.wechat == []


def test_repeated_refresh_within_the_grace_is_one_look(member: Phone, counted: Counter) -> None:
    body = {"refresh": member.tokens["refresh"]}
    assert member.post("refresh_token", body).status_code == 200
    with counted() as costs:
        assert member.post("refresh_token", body).status_code == 200
    assert costs.verbs == ["SELECT"]


def test_logout_is_one_look_and_one_update(member: Phone, counted: Counter) -> None:
    with counted() as costs:
        assert member.post("logout").status_code == 204
    assert costs.verbs == ["SELECT", "UPDATE"]
    assert costs.cache == [("delete", "wxauth:session_key")]


def test_logout_of_all_is_two_looks_more(member: Phone, counted: Counter) -> None:
    for _ in range(5):
        member.sign_in("login")
    with counted() as costs:
        assert member.post("logout", {"all": True}).status_code == 204
    assert costs.verbs == ["SELECT", "SELECT", "SELECT", "UPDATE"], "the user is locked"
    assert len(costs.cache) == 6


def test_me_is_five_looks(member: Phone, counted: Counter) -> None:
    with counted() as costs:
        assert member.client.get("/api/me").status_code == 200
    assert costs.verbs == ["SELECT"] * 5, "session, profile, phone, identities, referral"
    assert costs.cache == []


def test_first_phone_bind_fetches_the_token_too(member: Phone, counted: Counter) -> None:
    with counted() as costs:
        assert member.bind_phone().status_code == 200
    assert costs.verbs == ["SELECT"] * 5 + ["INSERT"] * 2, "the number, and the audit trail"
    assert costs.wechat == ["/cgi-bin/stable_token", PHONE_NUMBER]


def test_later_phone_bind_is_one_call_to_wechat(member: Phone, counted: Counter) -> None:
    assert member.bind_phone().status_code == 200
    member.simulator.user(member.name).phone_number = "17400000001"
    with counted() as costs:
        assert member.bind_phone().status_code == 200
    # Session with user, identity, the user's lock, whose number it is, the user's own number.
    assert costs.verbs == ["SELECT"] * 5 + ["UPDATE", "INSERT"]
    assert costs.wechat == [PHONE_NUMBER]
    assert costs.beside_rate_limit == [("get", "wxauth:access_token")]


def test_phone_bind_by_data_asks_wechat_nothing(member: Phone, counted: Counter) -> None:
    data = member.phone_button()
    with counted() as costs:
        body = {name: data[name] for name in ("encryptedData", "iv")}
        assert member.post("bind_phone", body).status_code == 200
    assert costs.verbs == ["SELECT"] * 5 + ["INSERT"] * 2, "the number, and the audit trail"
    assert costs.wechat == []
    assert costs.beside_rate_limit == [("get", "wxauth:session_key"), ("add", "wxauth:open_data")]


def phone_login(phone: Phone) -> dict[str, str]:
    code = phone.code()  # before the button, as clients do
    return {"code": code, "phone_code": phone.phone_button()["code"]}


def test_phone_login_of_a_new_person(phone: Phone, counted: Counter) -> None:
    with counted() as costs:
        assert phone.sign_in("phone_login", **phone_login(phone)).status_code == 201
    # Who it is, twice: a disabled account must not cost a phone code. Whose the number is; then
    # union, user, identity, profile, phone, audit, session.
    assert sorted(costs.verbs) == ["INSERT"] * 7 + ["SELECT"] * 5
    assert costs.wechat == [EXCHANGE, "/cgi-bin/stable_token", PHONE_NUMBER]


def test_phone_login_of_who_has_a_number_pays_for_none(member: Phone, counted: Counter) -> None:
    member.bind_phone()
    with counted() as costs:
        assert member.sign_in("phone_login", **phone_login(member)).status_code == 200
    assert costs.verbs == ["SELECT", "SELECT", "SELECT", "UPDATE", "INSERT"]
    assert costs.wechat == [EXCHANGE]
    assert costs.beside_rate_limit == [("set", "wxauth:session_key")]


def test_list_of_sessions_is_one_look_more(member: Phone, counted: Counter) -> None:
    for _ in range(5):
        member.sign_in("login")
    with counted() as costs:
        assert member.client.get("/api/sessions").status_code == 200
    assert costs.verbs == ["SELECT", "SELECT"]
    assert costs.cache == []


def test_end_of_all_other_sessions_is_one_update(member: Phone, counted: Counter) -> None:
    for _ in range(5):
        member.sign_in("login")
    with counted() as costs:
        assert member.post("sessions/end_others").json() == {"ended": 5}
    assert costs.verbs == ["SELECT", "SELECT", "SELECT", "UPDATE"], "the user is locked"


def test_check_of_the_session_key_is_one_call(member: Phone, counted: Counter) -> None:
    member.post("check_session")
    with counted() as costs:
        assert member.post("check_session").status_code == 200
    assert costs.verbs == ["SELECT", "SELECT"], "session with user, identity"
    assert costs.wechat == ["/wxa/checksession"]
    assert costs.beside_rate_limit == [
        ("get", "wxauth:session_key"),
        ("get", "wxauth:access_token"),
    ]


def test_return_that_calls_off_a_deletion_is_two_statements_more(
    member: Phone, counted: Counter
) -> None:
    assert member.post("delete_account", {"confirm": True}).status_code == 202
    with counted() as costs:
        assert member.sign_in("login").json()["deletion_cancelled"] is True
    # Taken back, and written down; the rest is any sign-in.
    assert costs.verbs == ["SELECT", "UPDATE", "INSERT", "DELETE", "INSERT"]


def test_registration_by_invite_code_costs_what_one_by_uid_costs(
    phone: Phone, counted: Counter, make_user: Callable[..., Any]
) -> None:
    code = read_invite_code(user=make_user())
    with counted() as costs:
        response = phone.sign_in("register_simple", referrer=code, scene="poster")
    assert response.status_code == 201
    assert sorted(costs.verbs) == ["INSERT"] * 6 + ["SELECT"] * 3
    assert Referral.objects.exists()


def test_referrals_are_three_looks_and_further_pages_one(member: Phone, counted: Counter) -> None:
    for number in range(25):
        name = f"friend {number}"
        Phone(member.simulator, name, member.app).sign_in("authorize", referrer=member.uid)
    with counted() as costs:
        page = member.client.get("/api/referrals").json()
    assert costs.verbs == ["SELECT"] * 3 + ["WITH"], "session, list, inviter, counts"
    with counted() as costs:
        page = member.client.get("/api/referrals", {"cursor": page["next"]}).json()
    assert len(page["invited"]) == 5
    assert costs.verbs == ["SELECT"] * 2


def test_known_invite_code_is_one_look(member: Phone, counted: Counter) -> None:
    member.client.get("/api/invite_code")
    with counted() as costs:
        assert member.client.get("/api/invite_code").status_code == 200
    assert costs.verbs == ["SELECT"] * 2, "session, code"


def test_refused_sign_in_that_is_tried_again_is_two_looks(member: Phone, counted: Counter) -> None:
    get_user_model()._default_manager.filter(pk=member.uid).update(is_active=False)
    assert member.sign_in("login").status_code == 403
    with counted() as costs:
        assert member.sign_in("login").status_code == 403
    assert costs.verbs == ["SELECT"] * 2, "identity with user, what is recorded"


def test_own_activity_is_one_look(member: Phone, counted: Counter) -> None:
    member.bind_phone()
    with counted() as costs:
        assert len(member.client.get("/api/audit").json()["events"]) == 1
    assert costs.verbs == ["SELECT"] * 2, "session, events"


# By a phone number: what a limit counts is found and added to by one statement each.


@pytest.fixture
def line(outbox: list[SmsMessage]) -> Line:
    """A line whose owner has an account and a password, and has asked for a code before."""
    line = Line(outbox)
    line.register()
    assert line.set_password().status_code == 204
    SmsCode.objects.update(sent_at=timezone.now() - timedelta(minutes=2))
    return line


def test_message_costs_one_statement_for_the_code_and_one_per_limit(
    line: Line, counted: Counter
) -> None:
    with counted() as costs:
        assert line.ask().status_code == 200
    assert costs.verbs == ["UPDATE"] * 4
    assert costs.wechat == []


def test_sign_in_by_code_is_five_statements(line: Line, counted: Counter) -> None:
    code = line.code()
    with counted() as costs:
        assert line.login(code).status_code == 200
    # Count the attempt, read the code; spend it, lock number and user, the session.
    assert costs.verbs == ["UPDATE", "SELECT", "UPDATE", "SELECT", "INSERT"]


def test_sign_in_by_password_is_two_counts_one_look_one_lock_and_a_session(
    line: Line, counted: Counter
) -> None:
    line.login_password()  # from now on the tallies of this hour are there
    with counted() as costs:
        assert line.login_password().status_code == 200
    assert costs.verbs == ["UPDATE", "UPDATE", "SELECT", "SELECT", "INSERT"]
