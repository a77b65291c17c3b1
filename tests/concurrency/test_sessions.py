"""One session in many hands: refreshes and logouts in one moment."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.concurrency.conftest import CROWD
from tests.concurrency.server import Ask, Server
from wxauth.conf import conf
from wxauth.models import LoginSession
from wxauth.tokens import read_access

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]

SignInFunction = Callable[..., dict[str, Any]]


def refresh(tokens: dict[str, Any]) -> Ask:
    return Ask("refresh_token", {"refresh": tokens["refresh"]})


def just_before_a_second() -> None:
    """Wait until the clock is about to tick: tokens count in whole seconds."""
    time.sleep((0.97 - time.time()) % 1)


def is_dead(server: Server, tokens: dict[str, Any]) -> bool:
    checked = server.ask("check_token", {"token": tokens["access"]})
    refreshed = server.ask("refresh_token", {"refresh": tokens["refresh"]})
    return {checked.status, refreshed.status} == {401}


def test_crowd_of_refreshes_is_one_rotation(server: Server, sign_in: SignInFunction) -> None:
    tokens = sign_in()
    answers = server.at_once([refresh(tokens)] * CROWD, start=just_before_a_second)
    assert Counter(answer.status for answer in answers) == {200: CROWD}
    assert len({answer.worker for answer in answers}) == 2
    pairs = {(answer.body["access"], answer.body["refresh"]) for answer in answers}
    assert len(pairs) == 1, "all have the same new pair"
    assert pairs != {(tokens["access"], tokens["refresh"])}
    session = LoginSession.objects.get()
    assert session.generation == 1
    assert session.revoked_at is None
    access, _ = pairs.pop()
    assert server.ask("check_token", {"token": access}).status == 200


def test_crowd_of_refreshes_goes_on_generation_by_generation(
    server: Server, sign_in: SignInFunction
) -> None:
    tokens = sign_in()
    for generation in (1, 2, 3):
        answers = server.at_once([refresh(tokens)] * CROWD, start=just_before_a_second)
        assert Counter(answer.status for answer in answers) == {200: CROWD}
        assert len({answer.body["refresh"] for answer in answers}) == 1
        tokens = answers[0].body
        assert LoginSession.objects.get().generation == generation


def test_old_token_of_a_crowd_revokes_after_the_grace(
    server: Server, sign_in: SignInFunction
) -> None:
    tokens = sign_in()
    renewed = server.at_once([refresh(tokens)] * CROWD)[0].body
    long_ago = timezone.now() - conf.refresh_grace - timedelta(seconds=1)
    LoginSession.objects.update(rotated_at=long_ago)
    assert server.ask("check_token", {"token": renewed["access"]}).status == 200
    answers = server.at_once([refresh(tokens)] * CROWD)
    assert Counter(answer.status for answer in answers) == {401: CROWD}
    assert LoginSession.objects.get().revoked_at is not None
    assert is_dead(server, renewed)


def test_crowd_of_logouts_ends_the_session_once(server: Server, sign_in: SignInFunction) -> None:
    tokens, other = sign_in(), sign_in()
    logout = Ask("logout", access=tokens["access"])
    answers = server.at_once([logout] * CROWD)
    # Who comes when it is over is told so; nobody is told of a fault.
    statuses = Counter(answer.status for answer in answers)
    assert statuses[204] >= 1
    assert set(statuses) <= {204, 401}
    assert is_dead(server, tokens)
    assert LoginSession.objects.filter(revoked_at__isnull=False).count() == 1
    assert server.ask("check_token", {"token": other["access"]}).status == 200


@pytest.mark.parametrize("everywhere", [False, True])
def test_no_token_outlives_a_logout_that_races_refreshes(
    server: Server, sign_in: SignInFunction, everywhere: bool
) -> None:
    for _ in range(4):
        tokens = sign_in()
        logout = Ask("logout", {"all": everywhere}, access=tokens["access"])
        asks = [refresh(tokens)] * CROWD
        asks[CROWD // 4] = asks[CROWD // 2] = logout
        answers = server.at_once(asks)
        assert {answer.status for answer in answers} <= {200, 204, 401}
        assert answers[CROWD // 4].status in (204, 401)
        pairs = [answer.body for answer in answers if answer.status == 200]
        assert all(is_dead(server, pair) for pair in [tokens, *pairs[:1], *pairs[-1:]])
        sid = read_access(tokens["access"]).sid
        assert LoginSession.objects.get(pk=sid).revoked_at is not None
