"""People to look at in the admin, and those who look."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from wxauth.conf import WechatApp
from wxauth.models import (
    LoginSession,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)


@pytest.fixture
def make_person(make_user: Callable[..., Any], app: WechatApp) -> Callable[..., SimpleNamespace]:
    """Return a function that makes a user with one row in each of our tables."""
    count = iter(range(1000))

    def make_person(*, user: Any = None, conflict: bool = False) -> SimpleNamespace:
        number, now = next(count), timezone.now()
        user = user or make_user()
        inviter = make_user()
        unionid = f"oUnion{number:022}"
        identity = WechatIdentity.objects.create(
            user=user,
            app_id=app.app_id,
            openid=f"oOpen{number:023}",
            unionid=unionid,
            union_conflict_at=now if conflict else None,
            last_login_at=now,
        )
        session = LoginSession.objects.create(
            user=user,
            identity=identity,
            app=app.alias,
            user_agent="MicroMessenger/8.0",
            ip_address="192.0.2.7",
            rotated_at=now,
            expires_at=now + timedelta(days=30),
        )
        holder = inviter if conflict else user
        return SimpleNamespace(
            user=user,
            inviter=inviter,
            holder=holder,
            identity=identity,
            session=session,
            union=WechatUnion.objects.create(scope=app.union_scope, unionid=unionid, user=holder),
            profile=WechatProfile.objects.create(
                user=user, nickname=f"Ming {number}", app="default"
            ),
            phone=PhoneNumber.objects.create(
                user=user,
                number=f"+861380013{number:04}",
                source=PhoneNumber.Source.PHONE_CODE,
                verified_at=now,
            ),
            referral=Referral.objects.create(referee=user, referrer=inviter),
        )

    return make_person


@pytest.fixture
def staff(make_user: Callable[..., Any]) -> Callable[..., Client]:
    """Return a function that signs a member of staff with just these permissions into the admin."""

    def staff(*permissions: str) -> Client:
        user = make_user(is_staff=True)
        for permission in permissions:
            label, codename = permission.split(".")
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label=label, codename=codename)
            )
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return staff


@pytest.fixture
def boss(make_user: Callable[..., Any]) -> Client:
    """A superuser, signed into the admin."""
    client = Client()
    client.force_login(
        make_user(is_staff=True, is_superuser=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client
