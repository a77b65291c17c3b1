"""One long story with every logger at DEBUG: what must stay secret stands in no line of it."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.phone import Phone
from wxauth.conf import conf
from wxauth.wechat import exchange
from wxauth.wechat.errcodes import CODE_TO_SESSION, PHONE_NUMBER, STABLE_TOKEN


class Tape(logging.Handler):
    """Keeps each record as text, with its traceback and its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = logging.Formatter("%(name)s %(levelname)s %(message)s").format(record)
        self.lines.append(f"{text} {record.args!r} {record.__dict__!r}")


class Story:
    """A phone that remembers each secret it has seen, and each answer it has got."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.private: set[str] = set()  # in no log line
        self.inner: set[str] = {app.app_secret for app in conf.apps.values()}  # in no answer either
        self.answers: list[str] = []

    def post(self, route: str, **body: Any) -> Any:
        self.private |= {str(value) for value in body.values() if value is not True}
        response = self.phone.post(route, body)
        self.answers.append(f"{response.headers} {response.content.decode()}")
        if response.content:
            answer = response.json()
            for name in ("access", "refresh", "ticket", "phone"):
                if answer.get(name):
                    self.private.add(answer[name])
            if "access" in answer:
                self.phone.tokens = answer
                bearer = f"Bearer {answer['access']}"
                self.phone.client.credentials(HTTP_AUTHORIZATION=bearer)
        simulator, app_id = self.phone.simulator, self.phone.app.app_id
        self.inner |= {
            simulator.session_key(self.phone.name, app_id),
            simulator.access_token(app_id),
        }
        self.private.add(simulator.user(self.phone.name).phone_number)
        return response

    def data(self) -> dict[str, str]:
        button = self.phone.phone_button()
        self.private |= {button["code"]}
        return {name: button[name] for name in ("encryptedData", "iv")}


@pytest.fixture
def tape() -> Iterator[Tape]:
    """Every logger that there is, at DEBUG, on one tape."""
    tape = Tape()
    names = list(logging.root.manager.loggerDict)
    loggers = [logging.root, *map(logging.getLogger, names)]
    before = [(logger, logger.level, logger.propagate, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.propagate, logger.disabled = True, False
    logging.root.addHandler(tape)
    yield tape
    logging.root.removeHandler(tape)
    for logger, level, propagate, disabled in before:
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled


@pytest.fixture(autouse=True)
def _quick(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}
    monkeypatch.setattr(exchange, "PAUSE", 0)


def tell(story: Story, settings: Any) -> list[int]:
    """Do everything once, and suffer every kind of fault; return the statuses."""
    phone, fail = story.phone, story.phone.simulator.fail
    answers = []
    ticket = story.post("login", code=phone.code()).json()["ticket"]
    answers.append(story.post("register_complex", ticket=ticket, **phone.open_data()))
    answers.append(story.post("login", code=(code := phone.code())))
    answers.append(story.post("login", code=code))
    answers.append(story.post("bind_phone", phone_code=phone.phone_button()["code"]))
    answers.append(story.post("bind_phone", **story.data()))
    answers.append(story.post("bind_phone", **{"code": phone.code(), **story.data()}))
    answers.append(story.post("bind_phone", **{**story.data(), "code": phone.code()}))  # race R1
    answers.append(story.post("bind_phone", phone_code=phone.code()))
    old = phone.tokens["refresh"]
    answers.append(story.post("refresh_token", refresh=old))
    answers.append(story.post("check_token", token=phone.tokens["access"]))
    answers.append(story.post("check_token", token=phone.tokens["access"] + "x"))
    settings.WXAUTH_TIMEOUTS = (5, 0.1)
    for path in (CODE_TO_SESSION, STABLE_TOKEN, PHONE_NUMBER):
        for fault in ({"fault": "timeout"}, {"fault": "reset"}, {"fault": "html502"}):
            fail(path, times=None, **fault)
            answers.append(story.post("login", code=phone.code()))
            answers.append(story.post("bind_phone", phone_code=phone.phone_button()["code"]))
            phone.simulator.clear_faults()
    settings.WXAUTH_TIMEOUTS = (5, 5)
    for errcode in (-1, 40001, 40125, 40164, 45009, 45011, 99999):
        for path in (CODE_TO_SESSION, PHONE_NUMBER):
            # errmsg may hold anything: here it holds what it must not bring into the log.
            fail(path, errcode=errcode, errmsg=f"bad {phone.app.app_secret}", times=2)
            answers.append(story.post("login", code=phone.code()))
            answers.append(story.post("bind_phone", phone_code=phone.phone_button()["code"]))
            phone.simulator.clear_faults()
    base_url = settings.WXAUTH_API_BASE_URL
    settings.WXAUTH_API_BASE_URL = "http://no-such-host.invalid"
    answers.append(story.post("login", code=phone.code()))
    settings.WXAUTH_API_BASE_URL = base_url
    answers.append(story.post("login", code="<bad>" + phone.code()))
    answers.append(story.post("register_simple", ticket="bad-ticket", code=phone.code()))
    answers.append(story.post("authorize", code=phone.code(), referrer="a-secret-referrer"))
    answers.append(story.post("logout", all=True))
    answers.append(story.post("refresh_token", refresh=old))
    return [answer.status_code for answer in answers]


def test_no_secret_is_logged_or_answered_in_a_whole_story(
    phone: Phone, tape: Tape, settings: Any
) -> None:
    story = Story(phone)
    statuses = tell(story, settings)
    assert {200, 201, 204, 400, 401, 409, 429, 500, 502, 503, 504} <= set(statuses)
    log, answers = "\n".join(tape.lines), "\n".join(story.answers)
    assert len(story.private) > 60
    for name in ("urllib3.connectionpool DEBUG", "wxauth.wechat ERROR", "django.request"):
        assert name in log, "the tape has missed something"
    found = {secret for secret in story.private | story.inner if secret and secret in log}
    assert not found, [line for line in tape.lines if any(secret in line for secret in found)]
    assert not {secret for secret in story.inner if secret in answers}
