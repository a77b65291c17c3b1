"""The user of a new person, for several kinds of user model."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from wxauth import users
from wxauth.conf import WechatApp, conf

pytestmark = pytest.mark.django_db


def test_user_has_no_password_and_is_active(app: WechatApp) -> None:
    user = users.create_user(app=app)
    assert not user.has_usable_password()
    assert user.is_active
    assert get_user_model().objects.get() == user


def test_users_do_not_collide(app: WechatApp) -> None:
    made = {users.create_user(app=app).pk for _ in range(20)}
    assert len(made) == 20


def test_project_makes_its_own_users(app: WechatApp, settings: Any) -> None:
    settings.WXAUTH_CREATE_USER = "tests.test_users.create_named_user"
    user = conf.create_user(app=app)
    assert user.first_name == "mall"


def create_named_user(*, app: WechatApp) -> Any:
    """A host's own: fills a field that ours knows nothing of."""
    user = users.create_user(app=app)
    user.first_name = "mall"
    return user
