"""Deletion requests in the admin: who sees them, and what withdrawing one does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from wxauth.models import AuditEvent, DeletionRequest

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]

VIEW, DELETE = "wxauth.view_deletionrequest", "wxauth.delete_deletionrequest"
LIST = "admin:wxauth_deletionrequest_changelist"
Staff = Callable[..., Client]


@pytest.fixture
def request_of(make_user: Callable[..., Any]) -> DeletionRequest:
    now = timezone.now()
    return DeletionRequest.objects.create(
        user=make_user("leaver"), source="user", due_at=now, failed_at=now, error="ProtectedError"
    )


def url(page: str, request_of: DeletionRequest) -> str:
    return reverse(f"admin:wxauth_deletionrequest_{page}", args=[request_of.pk])


def test_list_and_page_say_why_it_failed(staff: Staff, request_of: DeletionRequest) -> None:
    client = staff(VIEW)
    for address in (reverse(LIST), url("change", request_of)):
        answer = client.get(address)
        assert answer.status_code == 200
        assert b"ProtectedError" in answer.content


def test_list_searches_by_uid(staff: Staff, request_of: DeletionRequest) -> None:
    client, address = staff(VIEW), reverse(LIST)
    assert b"ProtectedError" in client.get(address, {"q": str(request_of.user_id)}).content
    assert b"ProtectedError" not in client.get(address, {"q": "nobody"}).content


def test_nobody_adds_or_changes_one(staff: Staff, request_of: DeletionRequest) -> None:
    client = staff(VIEW, "wxauth.add_deletionrequest", "wxauth.change_deletionrequest")
    assert client.get(reverse("admin:wxauth_deletionrequest_add")).status_code == 403
    assert client.post(url("change", request_of), {"due_at": "2099-01-01"}).status_code == 403


@pytest.mark.parametrize("way", ["page", "action"])
def test_withdrawn_request_leaves_a_trace(
    staff: Staff, request_of: DeletionRequest, way: str
) -> None:
    client = staff(VIEW, DELETE)
    if way == "page":
        client.post(url("delete", request_of), {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": request_of.pk, "post": "yes"}
        client.post(reverse(LIST), chosen)
    assert not DeletionRequest.objects.exists()
    event = AuditEvent.objects.get()
    assert (event.kind, event.user_id) == ("deletion_cancelled", request_of.user_id)
    assert event.actor_id not in (None, request_of.user_id)


def test_viewer_cannot_withdraw(staff: Staff, request_of: DeletionRequest) -> None:
    assert staff(VIEW).post(url("delete", request_of), {"post": "yes"}).status_code == 403
    assert DeletionRequest.objects.exists()
