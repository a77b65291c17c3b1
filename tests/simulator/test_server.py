"""HTTP itself: kept connections, rubbish, records, and a quick end."""

import contextlib
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.simulator.conftest import (
    APP,
    CODE2SESSION,
    STABLE_TOKEN,
    Server,
    credentials,
    wait_until,
)
from wxauth.simulator import SimulatorError, WechatSimulator
from wxauth.simulator.server import Handler

pytestmark = pytest.mark.static


@contextlib.contextmanager
def connected(sim):
    """Yield a plain socket to the server."""
    port = int(sim.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        yield connection


def talk(sim, data):
    """Send bytes and return all that comes back until the server closes."""
    answer = b""
    # The server closes when it has seen enough, perhaps before it has read all of it.
    with connected(sim) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while received := connection.recv(65536):
            answer += received
    return answer


def is_closed(connection):
    """Return whether the server has closed this connection, in whichever way."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_hundred_calls_take_one_connection(sim, server):
    for _ in range(100):
        server.exchange(sim.login("alice", APP.app_id))

    assert sim.connections == 1
    assert len({call.connection_id for call in sim.requests}) == 1


def test_each_connection_counts(sim):
    for _ in range(3):
        requests.get(sim.base_url + CODE2SESSION, timeout=5)

    assert sim.connections == 3


def test_phones_and_controls_do_not_count(sim, server):
    requests.get(f"{sim.base_url}/_sim/login?user=alice&appid={APP.app_id}", timeout=5)

    assert sim.connections == 0
    assert sim.requests == []


def test_connection_kept_over_a_reset_counts_again(sim, server):
    server.exchange("unknown")
    sim.reset()
    assert sim.connections == 0

    server.exchange("unknown")
    assert sim.connections == 1


def test_two_requests_in_one_packet_get_two_answers(sim):
    one = b"GET /sns/jscode2session?appid= HTTP/1.1\r\nHost: x\r\n\r\n"
    two = b"GET /cgi-bin/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = talk(sim, one + two)

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"41002") == 2
    assert b"Connection: keep-alive" in answer
    assert b"Connection: close" in answer


def test_dropped_connection_fails_at_its_next_use(sim):
    with connected(sim) as connection:
        connection.sendall(b"GET /cgi-bin/token HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        sim.close_connections()
        assert connection.recv(65536) == b""


def test_records_have_what_was_sent(sim, server):
    server.stable_token()
    server.get(CODE2SESSION, appid=APP.app_id, js_code="")
    token, exchange = sim.requests

    assert (token.path, token.method) == (STABLE_TOKEN, "POST")
    assert token.json() == credentials(APP)
    assert token.query == {}
    assert token.errcode == 0
    assert (exchange.path, exchange.method, exchange.body) == (CODE2SESSION, "GET", b"")
    assert exchange.query == {"appid": APP.app_id, "js_code": ""}
    assert exchange.errcode == 41004
    assert exchange.at == sim.now()
    assert sim.calls(STABLE_TOKEN) == [token]


def test_unknown_path_is_an_errcode(sim, server):
    assert server.get("/sns/unknown")["errcode"] == 40066
    assert server.get("/")["errcode"] == 40066
    assert [call.path for call in sim.requests] == ["/sns/unknown", "/"]


@pytest.mark.parametrize(("path", "errcode"), [(CODE2SESSION, 43001), (STABLE_TOKEN, 43002)])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_verbs_are_refused(sim, server, path, errcode, method):
    response = server.http.request(method, sim.base_url + path, timeout=5)

    assert response.json()["errcode"] == errcode


def test_head_has_no_body(sim, server):
    response = server.http.head(sim.base_url + CODE2SESSION, timeout=5)

    assert response.status_code == 200
    assert response.content == b""
    assert server.exchange("unknown")["errcode"] == 40029, "the connection is still in step"


def test_chunked_body_is_read(sim, server):
    response = server.http.post(
        sim.base_url + STABLE_TOKEN, data=iter([b'{"appid": ', b'"wxunknown"}']), timeout=5
    )

    assert response.json()["errcode"] == 40013
    assert server.exchange("unknown")["errcode"] == 40029


def test_first_of_two_parameters_counts(sim, server):
    url = f"{sim.base_url}{CODE2SESSION}?appid={APP.app_id}&appid=other"

    assert server.http.get(url, timeout=5).json()["errcode"] == 41004


HEAD = b"POST /cgi-bin/stable_token HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"BREW / HTTP/1.1\r\n\r\n", b"501"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", b"431"),
        (b"GET http://[ HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /?" + b"a=1&" * 200 + b" HTTP/1.1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: many\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", b"400"),
        (HEAD + b"Content-Length: 2000000\r\n\r\n", b"413"),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"413"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: a\r\n" * 200, b"400"),
    ],
)
def test_rubbish_is_refused_and_does_no_harm(sim, server, caplog, data, status):
    answer = talk(sim, data)

    assert answer.split(b" ", 2)[1] == status
    assert server.exchange("unknown")["errcode"] == 40029
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /sns",
        b"GET / HTTP/1.1\r\nHost",
        HEAD + b"Content-Length: 10\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\n{",
    ],
)
def test_half_a_request_does_no_harm(sim, server, caplog, data):
    talk(sim, data)

    assert server.exchange("unknown")["errcode"] == 40029
    assert not sim.calls(STABLE_TOKEN)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_fault_of_the_simulator_itself_is_logged(sim, server, caplog):
    sim.quirks = {"country_code_number"}
    sim.user("alice").country_code = "no number"
    code = sim.phone("alice", APP.app_id)["code"]

    with pytest.raises(requests.ConnectionError):
        server.phone_number(code)
    assert [record.getMessage() for record in caplog.records] == ["the simulator failed"]


def test_no_secret_is_logged_at_any_level(sim, caplog, capfd):
    caplog.set_level(logging.DEBUG, logger="wxauth.simulator")
    head = f"GET {CODE2SESSION}?appid={APP.app_id}&secret={APP.app_secret} HTTP/".encode()
    talk(sim, head + b"1.1\r\nConnection: close\r\n\r\n")
    talk(sim, head + b"9.9\r\n\r\n")
    talk(sim, head + b"x\r\n\r\n")

    assert "GET /sns/jscode2session" in caplog.text
    assert APP.app_secret not in caplog.text
    assert "".join(capfd.readouterr()) == ""


def test_silent_connection_is_closed_without_a_word(sim, monkeypatch, capfd):
    monkeypatch.setattr(Handler, "timeout", 0.01)
    with connected(sim) as connection:
        connection.sendall(f"GET /?secret={APP.app_secret}".encode())
        assert is_closed(connection)

    assert "".join(capfd.readouterr()) == ""


def test_32_parallel_connections_are_served(sim):
    def sign_in(number):
        server = Server(sim)
        with server.http:
            codes = [sim.login(f"person {number}", APP.app_id) for _ in range(5)]
            return [server.exchange(code)["openid"] for code in codes]

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(sign_in, range(32)))

    assert [len(set(answer)) for answer in answers] == [1] * 32
    assert len({answer[0] for answer in answers}) == 32
    assert sim.connections == 32


def test_stop_closes_idle_and_held_connections_at_once():
    with WechatSimulator(apps=[APP]) as sim, requests.Session() as http:
        http.get(sim.base_url + CODE2SESSION, timeout=5)
        sim.fail(CODE2SESSION, fault="timeout")
        sim.fail(STABLE_TOKEN, delay=60)
        with connected(sim) as held, connected(sim) as late, connected(sim) as half:
            held.sendall(b"GET /sns/jscode2session HTTP/1.1\r\nHost: x\r\n\r\n")
            late.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            half.sendall(b"GET /sns")
            wait_until(lambda: len(sim.requests) == 3)
            started = time.monotonic()
            sim.stop()
            assert time.monotonic() - started < 5, "none of the times that they would wait"
            assert is_closed(held)
            assert is_closed(half)
    with pytest.raises(SimulatorError, match="does not run"):
        _ = sim.base_url


def test_simulator_can_be_started_again_but_not_twice():
    sim = WechatSimulator(apps=[APP])
    for _ in range(2):
        with sim:
            with pytest.raises(SimulatorError, match="already"):
                sim.start()
            assert requests.get(sim.base_url + CODE2SESSION, timeout=5).json()["errcode"] == 41002
    sim.stop()


def test_port_in_use_is_an_error(sim):
    port = int(sim.base_url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"):
        WechatSimulator(port=port).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "no.such.name.invalid"])
def test_other_machines_are_kept_out(host):
    with pytest.raises(SimulatorError, match="loopback"):
        WechatSimulator(host=host)


def test_other_machines_are_let_in_when_told():
    with WechatSimulator(apps=[APP], host="0.0.0.0", allow_non_loopback=True) as sim:
        assert sim.base_url.startswith("http://0.0.0.0:")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_loopback_has_many_names(host):
    with WechatSimulator(apps=[APP], host=host) as sim:
        assert requests.get(sim.base_url + CODE2SESSION, timeout=5).json()["errcode"] == 41002


def has_ipv6_loopback():
    """Return whether this machine has ::1, which many containers have not."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6")
def test_ipv6_address_has_brackets():
    with WechatSimulator(apps=[APP], host="::1") as sim:
        assert sim.base_url.startswith("http://[::1]:")
        assert requests.get(sim.base_url + CODE2SESSION, timeout=5).json()["errcode"] == 41002
