"""POST sms_code and login_sms: what is sent, what it is good for, and how often."""

import hashlib
import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.cache import caches
from django.db import transaction

from tests.api.answers import check_error, check_refusal, row_counts
from tests.api.sms import NUMBER, PASSWORD, TYPED, Line, wrong
from tests.cache_dump import everything_in_the_cache
from tests.conftest import empty_caches
from tests.phone import Phone
from wxauth import services
from wxauth.api.sms import PURPOSES
from wxauth.exceptions import SmsCodeInvalid, SmsRefused, SmsUnavailable
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    PhoneNumber,
    Referral,
    SmsCode,
    Tally,
    WechatIdentity,
    WechatProfile,
)
from wxauth.services.sms import prove_code
from wxauth.sms.base import SmsMessage, SmsSender

NOON = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
User = get_user_model()

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(outbox: list[SmsMessage]) -> Line:
    return Line(outbox)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def numbered(outbox: list[SmsMessage], index: int) -> Line:
    return Line(outbox, f"174000001{index:02}")


# Sending


def test_code_is_six_digits_sent_to_the_number(line: Line) -> None:
    answer = line.ask()
    assert (answer.status_code, answer.json()) == (200, {"expires_in": 300, "resend_in": 60})
    (message,) = line.outbox
    assert (message.number, message.purpose, message.minutes) == (NUMBER, "login", 5)
    assert message.app == "default"
    assert re.fullmatch("[0-9]{6}", message.sms_code)
    assert message.sms_code not in repr(message)


def test_code_is_in_no_answer_row_log_or_cache(line: Line, caplog: Any) -> None:
    with caplog.at_level("DEBUG"):
        answer = line.ask()
        code = line.outbox[0].sms_code
        line.login(code)
    row = SmsCode.objects.values().get()
    places = [answer.content.decode(), repr(row), everything_in_the_cache(caches["default"])]
    for text in (*places, *(record.getMessage() for record in caplog.records)):
        assert code not in text


def test_leading_zeros_are_kept(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda limit: 7)
    assert line.code() == "000007"
    assert line.login("000007", register=True).status_code == 201


def test_dump_of_the_table_does_not_tell_the_code(line: Line) -> None:
    """Incident 32: a plain hash of six digits is undone by trying them all."""
    code = line.code()
    digest = SmsCode.objects.get().digest
    assert len(digest) == 64
    guesses = [code, f"{NUMBER}{code}", f"login{NUMBER}{code}", f"sms:login:{NUMBER}\0{code}"]
    for name in ("sha256", "sha512", "sha1", "md5"):
        for guess in guesses:
            assert hashlib.new(name, guess.encode()).hexdigest() != digest[:64]


def test_same_code_has_another_digest_for_each_number_and_key(
    line: Line, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda limit: 123456)
    line.ask()
    line.ask("bind")
    numbered(line.outbox, 1).ask()
    settings.WXAUTH_ENCRYPTION_KEYS = ["another key"]
    numbered(line.outbox, 2).ask()
    assert SmsCode.objects.values("digest").distinct().count() == 4


def test_code_survives_the_rotation_of_the_key(line: Line, settings: Any) -> None:
    code = line.code()
    settings.WXAUTH_ENCRYPTION_KEYS = ["new", settings.SECRET_KEY]
    assert line.login(code, register=True).status_code == 201


@pytest.mark.parametrize(
    "typed",
    ["+8617400000009", "8617400000009", "0086 174 0000 0009", "174-0000-0009", " 17400000009 ",
     "１７４０００００００９", "+86 (174) 0000.0009"],
)  # fmt: skip
def test_number_is_the_same_however_it_is_typed(outbox: Any, typed: str) -> None:
    """Incident 21: a limit escaped by spelling."""
    line = Line(outbox, typed)
    assert line.ask().status_code == 200
    assert outbox[0].number == NUMBER
    check_refusal(Line(outbox).ask(), 429, "sms_rate_limited")
    assert Line(outbox).login(outbox[0].sms_code, register=True).status_code == 201


@pytest.mark.parametrize(
    "typed",
    ["12345", "1740000000", "174000000099", "phone", "+", "+86", "1-800-FLOWERS", "+1", "0",
     "17400000009;ext=5", "17400000009#5", "tel:+8617400000009", "1\n7400000009", "01012345678",
     "075588888888"],
)  # fmt: skip
def test_what_is_no_mobile_number_is_refused(outbox: Any, typed: str) -> None:
    check_refusal(Line(outbox, typed).ask(), 400, "phone_input_invalid")
    assert not outbox
    assert not SmsCode.objects.exists()


@pytest.mark.parametrize("typed", ["+85251234567", "0085251234567", "+12015550123", "+882161111"])
def test_message_to_a_country_that_is_not_allowed_is_not_sent(outbox: Any, typed: str) -> None:
    """Pumping: messages to expensive countries, paid by us."""
    body = check_refusal(Line(outbox, typed).ask(), 400)
    assert body["code"] in {"phone_country_not_allowed", "phone_input_invalid"}
    assert not outbox


def test_allowed_country_gets_messages(outbox: Any, settings: Any) -> None:
    settings.WXAUTH_SMS_COUNTRIES = ["852", "86"]
    assert Line(outbox, "51234567").ask().status_code == 200
    assert Line(outbox, "+8617400000009").ask().status_code == 200
    assert [message.number for message in outbox] == ["+85251234567", NUMBER]


@pytest.mark.parametrize("typed", ["+19002345678", "+18002345678"])
def test_number_that_costs_extra_gets_no_message(outbox: Any, settings: Any, typed: str) -> None:
    """Pumping, too: premium lines of a country that is allowed."""
    settings.WXAUTH_SMS_COUNTRIES = ["1"]
    check_refusal(Line(outbox, typed).ask(), 400, "phone_input_invalid")
    assert not outbox


def test_without_a_backend_nothing_is_sent(line: Line, settings: Any) -> None:
    settings.WXAUTH_SMS_BACKEND = None
    check_refusal(line.ask(), 403, "sms_disabled")
    assert not SmsCode.objects.exists()


def test_purpose_of_another_door_is_refused(line: Line) -> None:
    assert line.ask("any").status_code == 400


def test_unknown_purpose_or_app_is_refused(line: Line) -> None:
    check_refusal(line.ask("pay"), 400, "invalid_input")
    check_refusal(line.ask(app="nowhere"), 400, "unknown_app")
    assert line.ask(app="second").status_code == 200
    assert line.outbox[0].app == "second"


def test_bound_and_unbound_number_look_alike(line: Line) -> None:
    """Incident 22: nothing tells whether a number has an account before it is proved."""
    line.register()
    stranger = Line(line.outbox, "17400000010")
    for purpose in ("bind", "reset_password"):
        known, unknown = line.ask(purpose), stranger.ask(purpose)
        assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    stranger.ask("login")
    for fields in ({"route": "login_sms"}, {"route": "reset_password", "password": PASSWORD}):
        route = fields.pop("route")
        answers = [
            each.post(route, phone=each.number, sms_code="000000", **fields)
            for each in (line, stranger)
        ]
        bodies = [check_refusal(answer, 400, "sms_code_invalid") for answer in answers]
        assert bodies[0] == bodies[1]


# How often


def test_second_message_within_a_minute_is_refused(line: Line, clock: Any) -> None:
    line.ask()
    clock.shift(59)
    answer = line.ask()
    body = check_refusal(answer, 429, "sms_rate_limited")
    assert (body["action"], answer["Retry-After"]) == ("wait", "2")
    clock.shift(1)
    assert line.ask().status_code == 200
    assert len(line.outbox) == 2


def test_minute_is_counted_for_each_purpose(line: Line) -> None:
    assert [line.ask(p).status_code for p in ("login", "bind", "reset_password")] == [200] * 3


def test_number_gets_ten_messages_a_day_from_wherever(line: Line, clock: Any) -> None:
    """Incident 20: a resend does not reset the limit, nor does a success or another address."""
    for index in range(10):
        line.client.defaults["REMOTE_ADDR"] = f"203.0.113.{index}"
        line.client.defaults["HTTP_USER_AGENT"] = f"agent {index}"
        line.login(register=True)
        clock.shift(61)
    line.client.defaults["REMOTE_ADDR"] = "203.0.113.99"
    for purpose in ("login", "bind"):
        answer = line.ask(purpose)
        check_refusal(answer, 429, "sms_rate_limited")
    assert int(answer["Retry-After"]) == 12 * 3600 - 10 - 610 + 1
    assert len(line.outbox) == 10
    clock.shift(12 * 3600)
    assert line.ask().status_code == 200


def test_refused_message_leaves_the_old_code_alive(line: Line, settings: Any, clock: Any) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_number": 1}
    code = line.code()
    clock.shift(61)
    check_refusal(line.ask(), 429, "sms_rate_limited")
    assert line.login(code, register=True).status_code == 201


def sent(outbox: Any, lines: Any) -> list[int]:
    return [line.ask().status_code for line in lines]


def test_device_gets_so_many_messages_for_all_numbers(outbox: Any, settings: Any) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_device": 3}
    lines = [numbered(outbox, index) for index in range(5)]
    assert sent(outbox, lines[:4]) == [200, 200, 200, 429]
    lines[4].client.defaults["HTTP_USER_AGENT"] = "another phone"
    assert sent(outbox, lines[4:]) == [200]


def test_address_gets_so_many_messages_whatever_the_device_says(outbox: Any, settings: Any) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_address": 3}
    lines = [numbered(outbox, index) for index in range(5)]
    for index, line in enumerate(lines):
        line.client.defaults["HTTP_USER_AGENT"] = f"agent {index}"
        line.client.defaults["REMOTE_ADDR"] = f"2001:db8:0:1::{index + 1}"
    lines[4].client.defaults["REMOTE_ADDR"] = "2001:db8:0:2::1"
    assert sent(outbox, lines) == [200, 200, 200, 429, 200]


def test_forged_forwarded_for_is_no_escape(outbox: Any, settings: Any) -> None:
    """Incident 21."""
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_address": 2}
    lines = [numbered(outbox, index) for index in range(3)]
    for index, line in enumerate(lines):
        line.client.defaults["HTTP_X_FORWARDED_FOR"] = f"198.51.100.{index}"
    assert sent(outbox, lines) == [200, 200, 429]


def test_loss_of_the_cache_does_not_lift_a_limit(line: Line, settings: Any, clock: Any) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_number": 1}
    line.ask()
    empty_caches()
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    check_refusal(line.ask(), 429, "sms_rate_limited")
    clock.shift(61)
    check_refusal(line.ask(), 429, "sms_rate_limited")


def test_none_lifts_a_limit(line: Line, settings: Any, clock: Any) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_number": None, "sms_device": None}
    for _ in range(12):
        assert line.ask().status_code == 200
        clock.shift(60)


def test_tallies_name_no_number_and_no_address(line: Line) -> None:
    line.ask()
    names = " ".join(Tally.objects.values_list("name", flat=True))
    assert len(names.split()) == 3
    assert "174" + "00000009" not in names
    assert "127.0.0.1" not in names


# The provider


class BrokenSender(SmsSender):
    """A provider with a fault."""

    fault: Any = None
    calls = 0

    def send(self, message: SmsMessage) -> None:
        type(self).calls += 1
        raise self.fault


@pytest.fixture
def broken(settings: Any) -> Any:
    """Return a function that lets the provider fail in this way."""
    BrokenSender.calls = 0

    def broken(fault: Exception) -> None:
        BrokenSender.fault = fault
        settings.WXAUTH_SMS_BACKEND = f"{__name__}.BrokenSender"

    return broken


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (SmsUnavailable(), 503, "sms_unavailable"),
        (SmsRefused(), 502, "sms_refused"),
    ],
)
def test_message_that_was_not_sent_does_not_block_the_next(
    line: Line, broken: Any, settings: Any, fault: Any, status: int, code: str
) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_number": 1, "sms_device": 1, "sms_address": 1}
    broken(fault)
    for _ in range(3):
        check_error(line.ask(), status, code)
    assert BrokenSender.calls == 3
    settings.WXAUTH_SMS_BACKEND = "wxauth.sms.memory.MemorySender"
    assert line.login(register=True).status_code == 201


def test_message_that_may_be_on_its_way_counts_and_blocks(
    line: Line, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda limit: 424242)
    broken(SmsUnavailable(maybe_sent=True))
    answer = line.ask()
    check_error(answer, 503, "sms_unavailable")
    assert answer["Retry-After"] == "60"
    check_refusal(line.ask(), 429, "sms_rate_limited")
    assert BrokenSender.calls == 1
    assert line.login("424242", register=True).status_code == 201, "it has arrived after all"


def test_fault_of_a_sender_shows_neither_code_nor_secret(
    line: Line, broken: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda limit: 424242)
    broken(ValueError("secret-key-of-the-provider 424242"))
    with caplog.at_level("DEBUG"):
        body = check_error(line.ask(), 503, "sms_unavailable")
    text = caplog.text + repr(body)
    assert "424242" not in text
    assert "secret-key" not in text
    assert "the sender raised ValueError" in text


def test_refusal_of_the_provider_is_an_alarm(line: Line, broken: Any, caplog: Any) -> None:
    broken(SmsRefused(reason="isv.AMOUNT_NOT_ENOUGH"))
    line.ask()
    errors = [r for r in caplog.records if r.levelname == "ERROR" and r.name == "wxauth.sms"]
    assert len(errors) == 1
    assert "isv.AMOUNT_NOT_ENOUGH" in errors[0].getMessage()


# The code


@pytest.mark.parametrize("guess", ["123456", "000000", "888888", "test_code", "", "0" * 16])
def test_no_fixed_code_opens_anything(
    line: Line, monkeypatch: pytest.MonkeyPatch, settings: Any, guess: str
) -> None:
    """Incidents 31 and 36: without a sender, a code of the house was good for all."""
    monkeypatch.setattr("secrets.randbelow", lambda limit: 424242)
    for debug in (False, True):
        settings.DEBUG = debug
        check_refusal(line.post("login_sms", phone=TYPED, sms_code=guess), 400)
    line.ask()
    check_refusal(line.post("login_sms", phone=TYPED, sms_code=guess), 400)
    assert not LoginSession.objects.exists()


def test_fifth_wrong_guess_burns_the_code_across_addresses(line: Line) -> None:
    """Incident 20."""
    code = line.code()
    for index in range(5):
        line.client.defaults["REMOTE_ADDR"] = f"203.0.113.{index}"
        check_refusal(line.login(wrong(code), register=True), 400, "sms_code_invalid")
    check_refusal(line.login(code, register=True), 400, "sms_code_invalid")
    assert SmsCode.objects.get().attempts == 5


def test_right_code_at_the_fifth_attempt_is_good(line: Line) -> None:
    code = line.code()
    for _ in range(4):
        line.login(wrong(code))
    assert line.login(code, register=True).status_code == 201


def test_new_code_kills_the_old_one(line: Line, clock: Any) -> None:
    """Incident 32: several codes were good at once."""
    first = line.code()
    clock.shift(61)
    second = line.code()
    if first != second:
        check_refusal(line.login(first, register=True), 400, "sms_code_invalid")
    assert line.login(second, register=True).status_code == 201
    assert SmsCode.objects.count() == 1


def test_code_is_good_for_five_minutes(line: Line, clock: Any) -> None:
    code = line.code()
    clock.shift(299)
    assert line.login(code, register=True).status_code == 201
    code = line.code()
    clock.shift(300)
    check_refusal(line.login(code), 400, "sms_code_invalid")


def test_used_code_is_refused(line: Line) -> None:
    code = line.code()
    assert line.login(code, register=True).status_code == 201
    check_refusal(line.login(code), 400, "sms_code_invalid")


@pytest.mark.parametrize(("asked", "used"), [*itertools.permutations(sorted(PURPOSES), 2)])
def test_code_of_another_purpose_is_refused(line: Line, asked: str, used: str) -> None:
    uid = line.register()
    SmsCode.objects.all().delete()
    code = line.code(asked)
    answer = {
        "login": lambda: line.login(code),
        "bind": lambda: line.post("bind_phone", phone=TYPED, sms_code=code),
        "reset_password": lambda: line.post(
            "reset_password", phone=TYPED, sms_code=code, password=PASSWORD
        ),
    }[used]()
    check_refusal(answer, 400, "sms_code_invalid")
    assert not User.objects.get(pk=uid).has_usable_password()


def test_code_of_another_number_is_refused(line: Line) -> None:
    code = line.code()
    other = Line(line.outbox, "17400000010")
    if other.code() != code:
        check_refusal(other.login(code, register=True), 400, "sms_code_invalid")


def test_code_typed_with_wide_digits_and_spaces_is_good(line: Line) -> None:
    code = line.code()
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    assert line.login(f" {wide} ", register=True).status_code == 201


def test_attempt_inside_a_transaction_of_the_caller_is_an_error(
    transactional_db: None, outbox: Any
) -> None:
    """Its rollback would give the guesses back."""
    with pytest.raises(RuntimeError), transaction.atomic():
        prove_code(number=NUMBER, purpose="login", sms_code="123456")
    with pytest.raises(SmsCodeInvalid):
        prove_code(number=NUMBER, purpose="login", sms_code="123456")


# Signing in


def test_unknown_number_is_not_registered_and_its_code_is_still_good(line: Line) -> None:
    code = line.code()
    before = row_counts()
    body = check_refusal(line.login(code), 404, "not_registered")
    assert (body["action"], body["ticket"]) == ("register", None)
    assert row_counts() == before
    answer = line.login(code, register=True)
    assert (answer.status_code, answer.json()["registered"]) == (201, True)


def test_registered_number_has_an_account_without_a_password_or_openid(line: Line) -> None:
    uid = line.register()
    user = User.objects.get(pk=uid)
    phone = PhoneNumber.objects.get()
    assert (phone.user, phone.number, phone.source) == (user, NUMBER, "sms")
    assert not user.has_usable_password()
    assert not WechatIdentity.objects.exists()
    assert WechatProfile.objects.get().app == "default"
    session = LoginSession.objects.get()
    assert (session.user, session.identity, session.app) == (user, None, "default")
    me = line.client.get("/api/me").json()
    assert (me["phone"], me["identities"]) == ("+86174****0009", [])


@pytest.mark.parametrize("register", [False, True])
def test_known_number_signs_in(line: Line, register: bool) -> None:
    uid = line.register()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=False):
        answer = line.login(register=register, app="second")
    assert (answer.status_code, answer.json()["registered"]) == (200, False)
    assert answer.json()["uid"] == uid
    assert LoginSession.objects.filter(app="second").count() == 1


def test_referrer_of_a_number_counts(line: Line, make_user: Any) -> None:
    inviter = make_user()
    line.login(register=True, referrer=str(inviter.pk), scene="poster")
    referral = Referral.objects.get()
    assert (referral.referrer, referral.scene) == (inviter, "poster")


def test_inactive_user_does_not_come_in_by_sms(line: Line) -> None:
    """Incident 1."""
    line.register()
    User.objects.update(is_active=False)
    SmsCode.objects.all().delete()
    check_refusal(line.login(), 403, "user_inactive")
    assert LoginSession.objects.count() == 1


def test_wrong_code_is_written_down_without_code_or_number(line: Line) -> None:
    line.register()
    SmsCode.objects.all().delete()
    code = line.code()
    line.login(wrong(code))
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.SIGN_IN_REFUSED)
    assert event.user == User.objects.get()
    assert event.facts == {"by": "sms", "phone": "+86174****0009"}
    assert event.ip_address == "127.0.0.1"


def test_registration_is_told_to_the_host(line: Line, received: Any) -> None:
    with received("user_registered", "user_logged_in", "phone_bound") as heard:
        line.register()
    (registered,) = heard["user_registered"]
    assert registered["identity"] is None
    assert registered["app"] == "default"
    (bound,) = heard["phone_bound"]
    assert (bound["phone"].number, bound["previous"]) == (NUMBER, None)
    assert heard["user_logged_in"][0]["registered"] is True


# With a ticket


@pytest.fixture
def wechat(make_phone: Any) -> Phone:
    """The phone of somebody whom WeChat knows and we do not."""
    return make_phone("alice")


def test_ticket_of_a_new_person_makes_an_account_with_both(line: Line, wechat: Phone) -> None:
    answer = line.login(ticket=wechat.ticket())
    assert (answer.status_code, answer.json()["registered"]) == (201, True)
    identity, phone = WechatIdentity.objects.get(), PhoneNumber.objects.get()
    assert identity.openid == wechat.openid
    assert identity.user == phone.user
    assert LoginSession.objects.get().identity == identity
    assert wechat.sign_in("login").json()["uid"] == answer.json()["uid"]


def test_identity_is_attached_to_the_user_of_the_number(line: Line, wechat: Phone) -> None:
    uid = line.register()
    SmsCode.objects.all().delete()
    answer = line.login(ticket=wechat.ticket())
    assert (answer.status_code, answer.json()["registered"]) == (200, False)
    assert answer.json()["uid"] == uid
    assert wechat.sign_in("login").json()["uid"] == uid
    assert User.objects.count() == 1
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.WECHAT_BOUND)
    assert (event.user_key, event.facts["by"]) == (str(uid), "phone")
    assert event.facts["phone"] == "+86174****0009"
    assert answer.json()["linked"] is True


def test_identity_of_a_second_app_is_attached_too(
    line: Line, make_phone: Any, foreign_app: Any
) -> None:
    uid = line.login(ticket=make_phone("alice").ticket()).json()["uid"]
    SmsCode.objects.all().delete()
    answer = line.login(ticket=make_phone("alice", foreign_app).ticket())
    assert answer.json()["uid"] == uid
    assert WechatIdentity.objects.filter(user=uid).count() == 2


def test_number_of_a_user_with_another_identity_is_a_conflict(line: Line, make_phone: Any) -> None:
    line.login(ticket=make_phone("alice").ticket())
    SmsCode.objects.all().delete()
    other = make_phone("carol")
    ticket = other.ticket()
    before = row_counts()
    body = check_refusal(line.login(ticket=ticket), 409, "phone_taken")
    assert body["choices"] == [
        "use_another_number",
        "sign_in_to_other_account",
        "register_without_number",
    ]
    assert body["ticket"] == ticket
    assert sum(row_counts().values()) == sum(before.values()) + 1, "an audit event"
    assert AuditEvent.objects.filter(kind=AuditEvent.Kind.PHONE_CONFLICT).count() == 1
    # Neither ticket nor code is lost: the person can choose.
    assert line.login(line.outbox[-1].sms_code).status_code == 200
    assert other.sign_in("register_simple", ticket=ticket).status_code == 201


def test_known_identity_signs_in_whoever_has_the_number(
    line: Line, wechat: Phone, make_phone: Any
) -> None:
    line.register()
    ticket = wechat.ticket()
    uid = wechat.sign_in("authorize").json()["uid"]
    SmsCode.objects.all().delete()
    answer = line.login(ticket=ticket)
    assert answer.json()["uid"] == uid
    assert answer.json()["phone_conflict"] is True
    assert PhoneNumber.objects.get().user_id != uid
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.PHONE_CONFLICT)
    assert (event.user_key, event.facts["phone"]) == (str(uid), "+86174****0009")


def test_known_identity_without_a_number_gets_it(line: Line, wechat: Phone) -> None:
    ticket = wechat.ticket()
    uid = wechat.sign_in("authorize").json()["uid"]
    answer = line.login(ticket=ticket)
    assert (answer.status_code, answer.json()["uid"]) == (200, uid)
    phone = PhoneNumber.objects.get()
    assert (str(phone.user_id), phone.number, phone.source) == (str(uid), NUMBER, "sms")


def test_unionid_that_is_known_is_who_it_is(line: Line, make_phone: Any, other_app: Any) -> None:
    ticket = make_phone("alice", other_app).ticket()
    uid = make_phone("alice").sign_in("authorize").json()["uid"]
    assert line.login(ticket=ticket).json()["uid"] == uid
    assert str(PhoneNumber.objects.get().user_id) == str(uid)


def test_ticket_is_good_once_and_survives_a_wrong_code(line: Line, wechat: Phone) -> None:
    ticket, code = wechat.ticket(), line.code()
    check_refusal(line.login(wrong(code), ticket=ticket), 400, "sms_code_invalid")
    assert line.login(code, ticket=ticket).status_code == 201
    SmsCode.objects.all().delete()
    check_refusal(line.login(ticket=ticket), 400, "ticket_invalid")
    check_refusal(line.login("123456", ticket=ticket, app="second"), 400, "ticket_invalid")


def test_ticket_of_another_app_is_refused(line: Line, wechat: Phone) -> None:
    check_refusal(line.login(ticket=wechat.ticket(), app="second"), 400, "unknown_app")


def test_attached_account_is_cleared_of_whoever_prepared_it(line: Line, wechat: Phone) -> None:
    """Incident 16: the attacker makes the account, the owner arrives by number."""
    uid = line.register()
    # By whatever means: we do not know since when it is there.
    User.objects.update(password=make_password(PASSWORD))
    stranger = Line(line.outbox)
    assert stranger.login_password().status_code == 200
    SmsCode.objects.all().delete()
    owner = Line(line.outbox)
    assert owner.login(ticket=wechat.ticket()).json()["uid"] == uid
    assert owner.client.get("/api/me").status_code == 200
    for intruder in (line, stranger):
        assert intruder.client.get("/api/me").status_code == 401
    check_refusal(stranger.login_password(), 400, "password_login_failed")
    events = AuditEvent.objects.filter(kind=AuditEvent.Kind.PASSWORD_CHANGED)
    assert [event.facts for event in events] == [{"by": "phone", "usable": False}]


def test_password_that_was_set_by_who_had_the_number_goes_too(line: Line, wechat: Phone) -> None:
    """When it was set does not tell by whom: the last owner of the number had proved it too."""
    line.register()
    assert line.set_password().status_code == 204
    SmsCode.objects.all().delete()
    owner = Line(line.outbox)
    assert owner.login(ticket=wechat.ticket()).status_code == 200
    check_refusal(line.login_password(), 400, "password_login_failed")
    assert owner.set_password().status_code == 204
    assert owner.login_password().status_code == 200


def test_host_is_told_of_what_was_linked_and_ended(
    line: Line, wechat: Phone, received: Any
) -> None:
    line.register()
    SmsCode.objects.all().delete()
    names = ("wechat_bound", "phone_bound", "user_logged_out", "user_registered")
    with received(*names) as heard:
        assert line.login(ticket=wechat.ticket()).status_code == 200
    assert [len(heard[name]) for name in names] == [1, 1, 1, 0]
    assert heard["wechat_bound"][0]["by"] == "phone"


def test_sign_in_by_sms_calls_the_deletion_off(line: Line) -> None:
    line.register()
    assert line.post("delete_account", confirm=True).status_code < 300
    SmsCode.objects.all().delete()
    answer = line.login()
    assert answer.json()["deletion_cancelled"] is True
    assert not DeletionRequest.objects.exists()


def test_inactive_user_is_written_down_once_in_an_hour(line: Line) -> None:
    line.register()
    User.objects.update(is_active=False)
    for _ in range(2):
        SmsCode.objects.all().delete()
        check_refusal(line.login(), 403, "user_inactive")
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.SIGN_IN_REFUSED)
    assert (event.user, event.facts) == (User.objects.get(), {"reason": "user_inactive"})


def test_wrong_codes_are_written_down_once_in_an_hour(line: Line) -> None:
    code = line.code()
    for _ in range(3):
        check_refusal(line.login(wrong(code)), 400, "sms_code_invalid")
    assert AuditEvent.objects.get().kind == AuditEvent.Kind.SIGN_IN_REFUSED


# bind_phone


def test_number_is_bound_by_its_code(line: Line, member: Phone) -> None:
    code = line.code("bind")
    answer = member.post("bind_phone", {"phone": TYPED, "sms_code": code})
    assert (answer.status_code, answer.json()) == (200, {"phone": NUMBER, "source": "sms"})
    assert str(PhoneNumber.objects.get().user_id) == str(member.uid)
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.PHONE_BOUND)
    assert (event.app, event.ip_address) == ("default", "127.0.0.1")


def test_number_of_another_user_is_not_bound_by_its_code(line: Line, member: Phone) -> None:
    line.register()
    code = line.code("bind")
    check_refusal(member.post("bind_phone", {"phone": TYPED, "sms_code": code}), 409, "phone_taken")


def test_stolen_token_is_not_enough_to_bind_a_number(line: Line, member: Phone) -> None:
    code = line.code("bind")
    LoginSession.objects.update(created_at=NOON)
    body = check_refusal(
        member.post("bind_phone", {"phone": TYPED, "sms_code": code}),
        403,
        "fresh_sign_in_required",
    )
    assert body["action"] == "login_again"
    assert not PhoneNumber.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"phone": TYPED},
        {"sms_code": "123456"},
        {"phone": TYPED, "sms_code": "123456", "code": "x"},
        {"phone": TYPED, "sms_code": "123456", "phone_code": "x"},
    ],
)
def test_half_a_proof_binds_nothing(member: Phone, body: Any) -> None:
    check_refusal(member.post("bind_phone", body), 400, "invalid_input")


def test_services_take_the_same_for_the_hosts_own_code(outbox: Any) -> None:
    services.send_sms_code(phone=TYPED, purpose="login")
    result = services.authorize_by_sms(phone=TYPED, sms_code=outbox[0].sms_code)
    assert (result.registered, result.identity, result.union_conflict) == (True, None, False)
