"""WeChat's servers at the door: pushes that the simulator makes, sent by Django's test client."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.api.conftest import make_phone, received  # noqa: F401  # fixtures
from tests.phone import Phone
from wxauth.conf import WechatApp
from wxauth.simulator.push import Push

Deliver = Callable[..., Any]


@pytest.fixture(params=["default", "second"], ids=["plain", "encrypted"])
def mode(request: pytest.FixtureRequest, app: WechatApp, other_app: WechatApp) -> WechatApp:
    """An app without a key for pushes, and one with a key."""
    return app if request.param == "default" else other_app


@pytest.fixture
def member(make_phone: Callable[..., Phone], mode: WechatApp) -> Phone:  # noqa: F811
    """Somebody who has an account, known in the app of this mode."""
    member = make_phone("bob", mode)
    assert member.sign_in().status_code == 201
    return member


@pytest.fixture
def deliver() -> Deliver:
    """Return a function that posts a push; fields of the address can be changed on the way."""
    client = Client()

    def deliver(alias: str, push: Push, *, body: bytes | None = None, **query: str) -> Any:
        return client.post(
            f"/push/{alias}",
            push.body if body is None else body,
            content_type=push.content_type,
            query_params={**push.query, **query},
        )

    return deliver


@pytest.fixture
def tell(member: Phone, deliver: Deliver) -> Deliver:
    """Return a function that has WeChat tell an event of the member's."""

    def tell(event: str, **fields: str) -> Any:
        push = member.simulator.make_push(member.name, member.app.app_id, event, **fields)
        return deliver(member.app.alias, push)

    return tell
