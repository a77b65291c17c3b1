"""What worker processes do to connections, and what their sudden end does to accounts."""

import http.client
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.concurrency.conftest import CROWD
from tests.concurrency.server import Ask, Line, Server, at_once
from wxauth.models import WechatIdentity, WechatProfile, WechatUnion
from wxauth.simulator import WechatSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]

User = get_user_model()
EACH = 8  # people that each thread of the crowd registers, one after the other
ENOUGH = CROWD * EACH // 4  # registrations after which a worker is killed


def test_hundred_sign_ins_open_one_connection_to_wechat(
    lone_server: Server, simulator: WechatSimulator, make_ask: Callable[..., Ask]
) -> None:
    with lone_server.lines(1) as [line]:
        statuses = [line.ask(make_ask("authorize", f"person {i}")).status for i in range(50)]
        statuses += [line.ask(make_ask("login", f"person {i}")).status for i in range(50)]
    assert statuses == [201] * 50 + [200] * 50
    assert len(simulator.calls("/sns/jscode2session")) == 100
    assert simulator.connections == 1


def test_crowd_opens_no_more_connections_than_threads(
    server: Server, simulator: WechatSimulator, make_ask: Callable[..., Ask]
) -> None:
    for _ in range(3):
        answers = server.at_once([make_ask("authorize", f"person {i}") for i in range(CROWD)])
        assert {answer.status for answer in answers} <= {200, 201}
    assert simulator.connections <= CROWD


def test_killed_worker_leaves_no_half_account(
    server: Server, simulator: WechatSimulator, make_ask: Callable[..., Ask]
) -> None:
    uids: dict[str, Any] = {}
    interrupted: list[str] = []
    victims: list[int] = []
    lock = threading.Lock()

    def register(line: Line, names: list[str]) -> None:
        for name in names:
            try:
                answer = line.ask(make_ask("authorize", name))
            except (OSError, http.client.HTTPException):
                assert line.worker in victims, "only the killed one may break"
                interrupted.append(name)
                return
            assert answer.status == 201, answer
            with lock:
                uids[name] = answer.body["uid"]
                if len(uids) == ENOUGH:
                    victims.append(line.worker)
                    os.kill(line.worker, signal.SIGKILL)

    people = [[f"person {i}/{j}" for j in range(EACH)] for i in range(CROWD)]
    with server.lines(CROWD) as lines:
        calls = zip(lines, people, strict=True)
        at_once([partial(register, line, names) for line, names in calls])
    assert 0 < len(interrupted) <= CROWD // 2

    # Gunicorn has started another worker, and all can go on. Those who were interrupted wait, if
    # need be, until the database has ended what the dead process had begun.
    names = [*interrupted, *list(uids)[: CROWD - len(interrupted)]]
    answers = server.at_once([make_ask("authorize", name) for name in names])
    assert {answer.status for answer in answers} <= {200, 201}
    workers = {answer.worker for answer in answers}
    assert len(workers) == 2
    assert not workers & set(victims)
    for name, answer in zip(names, answers, strict=True):
        assert uids.setdefault(name, answer.body["uid"]) == answer.body["uid"], "what was told"

    users = set(User.objects.values_list("pk", flat=True))
    assert users == set(uids.values())
    for model in (WechatIdentity, WechatUnion, WechatProfile):
        assert sorted(model.objects.values_list("user_id", flat=True)) == sorted(users), model
