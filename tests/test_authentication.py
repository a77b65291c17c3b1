"""WechatJWTAuthentication on a view of the host project, with DRF's own error answers."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.test import APIClient

from wxauth import tokens
from wxauth.models import LoginSession
from wxauth.services import check_token, logout

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(make_user: Any) -> LoginSession:
    now = timezone.now()
    return LoginSession.objects.create(
        user=make_user(), app="default", rotated_at=now, expires_at=now + timedelta(days=1)
    )


def get(session: LoginSession, api: APIClient, path: str = "/orders/") -> Any:
    return api.get(path, headers={"authorization": f"Bearer {tokens.issue(session).access}"})


def test_host_view_knows_the_user_and_the_session(session: LoginSession, api: APIClient) -> None:
    response = get(session, api)
    assert response.status_code == 200
    assert response.json()["user"] == str(session.user_id)
    assert UUID(response.json()["sid"]) == session.id


def test_host_view_asks_the_database_once(
    session: LoginSession, api: APIClient, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        get(session, api)


def test_no_token_is_nobody(api: APIClient) -> None:
    """The host's own permissions decide what an anonymous visitor may do."""
    response = api.get("/deliveries/")
    assert response.status_code == 401
    assert "Bearer" in response.headers["WWW-Authenticate"]


def test_logout_bites_on_a_host_view_at_once(session: LoginSession, api: APIClient) -> None:
    assert get(session, api).status_code == 200
    logout(session=session)
    response = get(session, api)
    assert response.status_code == 401
    assert "Bearer" in response.headers["WWW-Authenticate"]


def test_ban_bites_on_a_host_view_at_once(session: LoginSession, api: APIClient) -> None:
    get_user_model().objects.update(is_active=False)
    assert get(session, api).status_code == 401


def test_lasting_token_is_good_as_long_as_its_session(
    session: LoginSession, api: APIClient, time_machine: Any
) -> None:
    session.expires_at = session.rotated_at + timedelta(days=400)
    session.save()
    header = {"authorization": f"Bearer {tokens.issue_lasting(session)}"}

    time_machine.move_to(session.expires_at - timedelta(seconds=5))
    assert api.get("/orders/", headers=header).status_code == 200
    time_machine.move_to(session.expires_at + timedelta(seconds=5))
    assert api.get("/orders/", headers=header).status_code == 401


def test_foreign_header_is_left_to_other_authenticators(api: APIClient) -> None:
    assert api.get("/deliveries/", headers={"authorization": "Basic dTpw"}).status_code == 401


def test_token_does_not_show_in_its_repr(session: LoginSession) -> None:
    pair = tokens.issue(session)
    assert pair.access not in repr(pair)
    assert pair.refresh not in repr(pair)
    assert pair.access not in repr(check_token(access=pair.access))


def test_pair_of_one_generation_is_the_same_each_time(session: LoginSession) -> None:
    again = LoginSession.objects.get(pk=session.pk)
    assert tokens.issue(again) == tokens.issue(session)
