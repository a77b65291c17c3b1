"""Lists that go on where they ended."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from wxauth.models import AuditEvent
from wxauth.services.pages import Position, newest

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def read_all(limit):
    """Return the keys of all pages together, and their sizes."""
    keys, sizes, before = [], [], None
    while True:
        page = newest(AuditEvent.objects.all(), by="at", before=before, limit=limit)
        keys += [row.pk for row in page.rows]
        sizes.append(len(page.rows))
        if page.next is None:
            return keys, sizes
        before = Position.read(str(page.next))


@pytest.mark.static
def test_position_is_read_as_it_is_written():
    assert Position.read(str(Position(NOW, 17))) == Position(NOW, 17)


@pytest.mark.static
@pytest.mark.parametrize("text", ["", "1", "1-", "-1-1", "１-1", "1-1 ", "9" * 18 + "-1", "1.5-1"])
def test_what_is_no_position_is_none(text):
    assert Position.read(text) is None


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
def test_pages_have_each_row_once_newest_first_though_times_are_equal(limit, make_user):
    user, now = make_user(), timezone.now()
    ages = [0, 5, 5, 5, 2, 9, 0]
    for age in ages:
        at = now - timedelta(seconds=age)
        AuditEvent.objects.record("exported", user=user, at=at)
    wanted = list(AuditEvent.objects.order_by("-at", "-pk").values_list("pk", flat=True))

    keys, sizes = read_all(limit)

    assert keys == wanted
    assert all(sizes), "no page is empty"


@pytest.mark.django_db
def test_row_that_is_added_meanwhile_moves_nothing(make_user):
    user, now = make_user(), timezone.now()
    old = [
        AuditEvent.objects.record("exported", user=user, at=now - timedelta(seconds=age)).pk
        for age in (3, 2, 1)
    ]
    first = newest(AuditEvent.objects.all(), by="at", before=None, limit=2)
    AuditEvent.objects.record("exported", user=user, at=now)
    second = newest(AuditEvent.objects.all(), by="at", before=first.next, limit=2)

    assert [row.pk for row in [*first.rows, *second.rows]] == old[::-1]
