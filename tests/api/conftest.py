"""Fixtures for tests that speak to the API as phones do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.dispatch import Signal

from tests.phone import Phone
from wxauth import signals
from wxauth.conf import WechatApp
from wxauth.simulator import WechatSimulator


@pytest.fixture
def make_phone(db: None, wechat_simulator: WechatSimulator, app: WechatApp) -> Callable[..., Phone]:
    def make_phone(name: str = "alice", in_app: WechatApp = app) -> Phone:
        return Phone(wechat_simulator, name, in_app)

    return make_phone


@pytest.fixture
def phone(make_phone: Callable[..., Phone]) -> Phone:
    """The phone of somebody who has never been here."""
    return make_phone()


@pytest.fixture
def member(make_phone: Callable[..., Phone]) -> Phone:
    """The phone of somebody who has an account and has just signed in."""
    member = make_phone("bob")
    assert member.sign_in().status_code == 201
    return member


@pytest.fixture
def received(django_capture_on_commit_callbacks: Any) -> Callable[..., Any]:
    """Return a context that collects the arguments of what our signals send within it, by name."""

    @contextmanager
    def received(*names: str) -> Iterator[dict[str, list[dict[str, Any]]]]:
        heard: dict[str, list[dict[str, Any]]] = {name: [] for name in names}

        def receive(signal: Signal, **arguments: Any) -> None:
            heard[next(name for name in names if getattr(signals, name) is signal)].append(
                arguments
            )

        for name in names:
            getattr(signals, name).connect(receive)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                yield heard
        finally:
            for name in names:
                getattr(signals, name).disconnect(receive)

    return received
