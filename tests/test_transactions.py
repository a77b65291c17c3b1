"""Steps that a constraint or a deadlock has undone run again, a few times."""

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError
from django.dispatch import Signal

from wxauth import transactions
from wxauth.models import WechatUnion


class DriverError(Exception):
    """What psycopg raises: it names the SQLSTATE."""

    def __init__(self, *args: Any, sqlstate: str | None = None) -> None:
        super().__init__(*args)
        self.sqlstate = sqlstate


def failing(times: int, error: Exception) -> Any:
    attempts: list[int] = []

    def step() -> int:
        attempts.append(1)
        if len(attempts) <= times:
            raise error
        return len(attempts)

    return step


def operational(cause: Exception) -> OperationalError:
    error = OperationalError(*cause.args)
    error.__cause__ = cause
    return error


CONTENTION = [
    operational(DriverError("deadlock detected", sqlstate="40P01")),
    operational(DriverError("could not serialize access", sqlstate="40001")),
    operational(DriverError(1213, "Deadlock found when trying to get lock")),
    operational(DriverError(1205, "Lock wait timeout exceeded")),
    operational(DriverError("database is locked")),
]


@pytest.mark.django_db
def test_refused_step_runs_again_from_its_first_line() -> None:
    assert transactions.run(failing(2, IntegrityError("twin"))) == 3


@pytest.mark.django_db
def test_step_that_is_refused_for_ever_gives_up() -> None:
    with pytest.raises(IntegrityError):
        transactions.run(failing(100, IntegrityError("a constraint of the host's")))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", CONTENTION, ids=str)
def test_contention_is_tried_again(error: OperationalError) -> None:
    assert transactions.run(failing(1, error)) == 2


@pytest.mark.django_db(transaction=True)
def test_outage_is_not_tried_again() -> None:
    step = failing(1, operational(DriverError("server closed the connection")))
    with pytest.raises(OperationalError):
        transactions.run(step)


@pytest.mark.django_db
def test_contention_inside_the_hosts_transaction_is_the_hosts() -> None:
    with pytest.raises(OperationalError):
        transactions.run(failing(1, CONTENTION[0]))


@pytest.mark.django_db(transaction=True)
def test_failed_step_leaves_nothing_behind(make_user: Any) -> None:
    user = make_user()

    def step() -> None:
        WechatUnion.objects.create(user=user, scope="main", unionid="u1")
        raise DatabaseError("later in the same step")

    with pytest.raises(DatabaseError):
        transactions.run(step)
    assert not WechatUnion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_signal_waits_for_the_commit_and_survives_a_bad_receiver(caplog: Any) -> None:
    signal, received = Signal(), []

    def bad(**kwargs: Any) -> None:
        raise RuntimeError("a receiver of the host's")

    def good(**kwargs: Any) -> None:
        received.append(kwargs["fact"])

    signal.connect(bad)
    signal.connect(good)

    def step() -> None:
        transactions.send_after_commit(signal, fact=1)
        assert received == []

    transactions.run(step)
    assert received == [1]
    assert "bad" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_signal_of_an_undone_transaction_is_not_sent() -> None:
    signal, received = Signal(), []

    def receive(**kwargs: Any) -> None:
        received.append(kwargs)

    signal.connect(receive)

    def step() -> None:
        transactions.send_after_commit(signal)
        raise DatabaseError

    with pytest.raises(DatabaseError):
        transactions.run(step)
    assert received == []
