"""Faults: what the client sees of them, and whether the request was processed."""

import contextlib
import time

import pytest
import requests

from tests.simulator.conftest import APP, CODE2SESSION, PHONE, STABLE_TOKEN, wait_until
from wxauth.simulator import SimulatorError
from wxauth.simulator.faults import PROCESSED, TransportFault

pytestmark = pytest.mark.static

PATIENCE = 0.1  # seconds that the client waits for an answer


@pytest.fixture
def exchange(sim, server):
    """Return a function that exchanges a code and gives the bare response."""

    def exchange(code, timeout=5):
        query = {
            "appid": APP.app_id,
            "secret": APP.app_secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        return server.http.get(sim.base_url + CODE2SESSION, params=query, timeout=timeout)

    return exchange


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ("timeout", requests.ReadTimeout, "timed out"),
        ("read_timeout_after_processing", requests.ReadTimeout, "timed out"),
        ("reset", requests.ConnectionError, "reset by peer"),
        ("reset_after_processing", requests.ConnectionError, "reset by peer"),
        ("incomplete", requests.exceptions.ChunkedEncodingError, "IncompleteRead"),
    ],
)
def test_connection_fails(sim, exchange, fault, error, text):
    code = sim.login("alice", APP.app_id)
    sim.fail(CODE2SESSION, fault=fault)

    with pytest.raises(error, match=text):
        exchange(code, PATIENCE if error is requests.ReadTimeout else 5)


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("html502", 502, b"<html>"),
        ("empty", 200, b""),
        ("json_array", 200, b"[]"),
        ("truncated", 200, b'{"session_key":"'),
    ],
)
def test_answer_is_not_what_was_promised(sim, exchange, fault, status, body):
    sim.fail(CODE2SESSION, fault=fault)
    response = exchange(sim.login("alice", APP.app_id))

    assert response.status_code == status
    assert response.content.startswith(body)
    assert len(response.content) == int(response.headers["Content-Length"])
    with pytest.raises((ValueError, TypeError)):
        response.json()["openid"]


def test_answer_is_no_utf8(sim, exchange):
    sim.fail(CODE2SESSION, fault="invalid_utf8")
    response = exchange(sim.login("alice", APP.app_id))

    with pytest.raises(UnicodeDecodeError):
        response.content.decode()


@pytest.mark.parametrize("fault", TransportFault)
def test_code_is_spent_only_where_the_request_was_processed(sim, server, exchange, fault):
    code = sim.login("alice", APP.app_id)
    sim.fail(CODE2SESSION, fault=fault)
    with contextlib.suppress(requests.RequestException):
        exchange(code, PATIENCE if "timeout" in fault else 5)
    wait_until(lambda: sim.calls(CODE2SESSION))
    wait_until(lambda: fault not in PROCESSED or sim.requests[0].errcode is not None)

    expected = 40163 if fault in PROCESSED else 0
    assert server.exchange(code).get("errcode", 0) == expected
    assert [call.errcode for call in sim.calls(CODE2SESSION)] == [
        0 if fault in PROCESSED else None,
        expected,
    ]


def test_errcode_comes_with_the_official_text_and_spends_nothing(sim, server):
    code = sim.login("alice", APP.app_id)
    sim.fail(CODE2SESSION, errcode=-1)

    answer = server.exchange(code)
    assert answer["errcode"] == -1
    assert answer["errmsg"].startswith("system error, rid: ")
    assert "openid" in server.exchange(code)


def test_errmsg_can_be_given_and_unknown_errcodes_have_one(sim, server):
    sim.fail(CODE2SESSION, errcode=40029, errmsg="own words")
    sim.fail(CODE2SESSION, errcode=99999)

    assert server.exchange("x")["errmsg"].startswith("own words, rid: ")
    assert server.exchange("x")["errmsg"].startswith("error, rid: ")


def test_errcode_zero_can_be_an_answer_without_anything(sim, server):
    sim.fail(CODE2SESSION, errcode=0)

    assert server.exchange(sim.login("alice", APP.app_id)) == {"errcode": 0, "errmsg": "ok"}


def test_faults_wait_in_line(sim, server):
    sim.fail(CODE2SESSION, errcode=45011, times=2)
    sim.fail(CODE2SESSION, errcode=-1)

    errcodes = [server.exchange("unknown")["errcode"] for _ in range(4)]
    assert errcodes == [45011, 45011, -1, 40029]


def test_fault_without_end_lasts_until_cleared(sim, server):
    sim.fail(CODE2SESSION, errcode=-1, times=None)

    assert {server.exchange("unknown")["errcode"] for _ in range(5)} == {-1}
    sim.clear_faults()
    assert server.exchange("unknown")["errcode"] == 40029


def test_fault_concerns_its_path_only(sim, server):
    sim.fail(STABLE_TOKEN, errcode=-1)

    assert "openid" in server.exchange(sim.login("alice", APP.app_id))
    assert server.stable_token()["errcode"] == -1


def test_reset_clears_faults(sim, server):
    sim.fail(CODE2SESSION, errcode=-1, times=None)
    sim.reset()

    assert server.exchange("unknown")["errcode"] == 40029


def test_delay_comes_after_the_processing(sim, server, exchange):
    code = sim.login("alice", APP.app_id)
    sim.fail(CODE2SESSION, delay=60)

    with pytest.raises(requests.ReadTimeout):
        exchange(code, PATIENCE)
    wait_until(lambda: sim.requests and sim.requests[0].errcode == 0)
    assert server.exchange(code)["errcode"] == 40163


def test_late_answer_arrives(sim, server):
    sim.fail(CODE2SESSION, delay=PATIENCE)
    started = time.monotonic()

    assert "openid" in server.exchange(sim.login("alice", APP.app_id))
    assert time.monotonic() - started >= PATIENCE


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/sns/unknown", {"errcode": -1}),
        (PHONE, {"fault": "earthquake"}),
        (PHONE, {"fault": "timeout", "errcode": -1}),
        (PHONE, {"errmsg": "without an errcode"}),
        (PHONE, {"errcode": -1, "times": 0}),
        (PHONE, {"delay": -1}),
        (PHONE, {"delay": float("nan")}),
    ],
)
def test_fault_that_makes_no_sense_is_refused(sim, path, fields):
    with pytest.raises(SimulatorError):
        sim.fail(path, **fields)
