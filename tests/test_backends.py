"""WechatBackend under plain Django: ``authenticate(request, wechat_code=…, app=…)``."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate, get_user, get_user_model, login
from django.test import Client, RequestFactory
from django.utils import timezone

from wxauth import identities
from wxauth.backends import WechatBackend
from wxauth.conf import WechatApp
from wxauth.exceptions import UnknownApp, UserInactive, WechatUnavailable
from wxauth.identities import ConfirmedPerson
from wxauth.models import LoginSession, WechatIdentity
from wxauth.services import authorize
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db


class NobodyMayEnter(WechatBackend):
    """A project that bans people by its own means."""

    def user_can_authenticate(self, user: Any) -> bool:
        return False


@pytest.fixture
def known(make_user: Any, app: WechatApp, wechat_simulator: WechatSimulator) -> Any:
    """The user of a person who has an account."""
    user = make_user()
    person = ConfirmedPerson(app=app, openid=wechat_simulator.openid("alice", app.app_id))
    identities.register(person, user, now=timezone.now())
    return user


def test_known_person_is_authenticated(
    known: Any, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    user = authenticate(None, wechat_code=wechat_simulator.login("alice", app.app_id))
    assert user == known
    assert user.backend == "wxauth.backends.WechatBackend"
    assert WechatIdentity.objects.get().last_login_at is not None


def test_authenticated_user_can_log_in_to_a_django_session(
    known: Any, app: WechatApp, wechat_simulator: WechatSimulator, rf: RequestFactory
) -> None:
    client = Client()
    request = rf.get("/")
    request.session = client.session
    user = authenticate(request, wechat_code=wechat_simulator.login("alice", app.app_id))
    login(request, user)
    assert get_user(request) == known
    assert WechatBackend().get_user(known.pk) == known


def test_app_chooses_the_mini_program(
    known: Any, other_app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    code = wechat_simulator.login("alice", other_app.app_id)
    assert authenticate(None, wechat_code=code, app="second") is None
    assert len(wechat_simulator.requests) == 1
    with pytest.raises(UnknownApp):
        authenticate(None, wechat_code=code, app="no-such-app")
    assert len(wechat_simulator.requests) == 1


def test_unknown_person_is_none_and_not_registered(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    assert authenticate(None, wechat_code=wechat_simulator.login("zoe", app.app_id)) is None
    assert not get_user_model().objects.exists()


def test_code_that_wechat_refuses_is_none(known: Any, wechat_simulator: WechatSimulator) -> None:
    assert authenticate(None, wechat_code="made-up") is None


def test_blocked_person_is_none(
    known: Any, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    code = wechat_simulator.login("alice", app.app_id)
    wechat_simulator.user("alice").blocked = True
    assert authenticate(None, wechat_code=code) is None


def test_inactive_user_is_none(
    known: Any, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    get_user_model().objects.update(is_active=False)
    assert authenticate(None, wechat_code=wechat_simulator.login("alice", app.app_id)) is None


def test_outage_raises_instead_of_refusing(
    known: Any, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    code = wechat_simulator.login("alice", app.app_id)
    wechat_simulator.fail("/sns/jscode2session", fault="html502", times=None)
    with pytest.raises(WechatUnavailable):
        authenticate(None, wechat_code=code)


@pytest.mark.parametrize("code", [None, "", 7, b"bytes", ["list"]])
def test_no_code_is_left_to_other_backends(code: Any, wechat_simulator: WechatSimulator) -> None:
    assert authenticate(None, wechat_code=code) is None
    assert not wechat_simulator.requests


def test_openid_is_no_password(known: Any, app: WechatApp, wechat_simulator: Any) -> None:
    openid = wechat_simulator.openid("alice", app.app_id)
    for password in (openid, "", None):
        assert authenticate(None, username=known.get_username(), password=password) is None
        assert authenticate(None, username=openid, password=password) is None


def test_password_login_of_others_still_works(make_user: Any) -> None:
    user = make_user("paula", password="a good password")
    assert authenticate(None, username=user.get_username(), password="a good password") == user


def test_backend_works_from_async_views(
    known: Any, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    code = wechat_simulator.login("alice", app.app_id)
    assert async_to_sync(aauthenticate)(None, wechat_code=code) == known


def test_late_identity_is_attached_by_unionid(
    known: Any, other_app: WechatApp, wechat_simulator: WechatSimulator, app: WechatApp
) -> None:
    authenticate(None, wechat_code=wechat_simulator.login("alice", app.app_id))
    code = wechat_simulator.login("alice", other_app.app_id)
    assert authenticate(None, wechat_code=code, app="second") == known
    assert WechatIdentity.objects.filter(user=known).count() == 2


def test_project_may_ban_by_its_own_means(
    settings: Any, known: Any, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    settings.AUTHENTICATION_BACKENDS = ["tests.test_backends.NobodyMayEnter"]
    assert authenticate(None, wechat_code=wechat_simulator.login("alice", app.app_id)) is None
    person = ConfirmedPerson(app=app, openid=wechat_simulator.openid("alice", app.app_id))
    with pytest.raises(UserInactive):
        authorize(person=person)
    assert not LoginSession.objects.exists()
