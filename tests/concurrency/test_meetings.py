"""Steps of one browser, or one phone, that meet another change of the same account half-way."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from tests.test_images import picture
from wxauth import services
from wxauth.conf import WechatApp, conf
from wxauth.exceptions import ScanInvalid, TokenInvalid, WxauthError
from wxauth.models import DeletionRequest, LoginSession, WechatIdentity, WechatProfile
from wxauth.services import avatar_copies, leaving, scanning
from wxauth.services.wechat_events import handle_event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database_server,
    pytest.mark.xdist_group("crowd"),
]

VERIFIER = "a browser's"
LONG = 0.5  # seconds; what waits for a lock waits longer


def meanwhile(call: Callable[[], Any]) -> threading.Thread:
    """Make the call in a thread of its own; return when it is done, or waits for a lock."""

    def run() -> None:
        with suppress(WxauthError):
            call()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(LONG)
    return thread


def open_session(user: Any) -> LoginSession:
    now = timezone.now()
    return LoginSession.objects.create(
        user=user, created_at=now, rotated_at=now, expires_at=now + timedelta(days=1)
    )


def log_out(session: LoginSession) -> None:
    services.logout_everywhere(user=session.user)


def log_out_others(session: LoginSession) -> None:
    services.end_other_sessions(session=open_session(session.user))


def ask_for_deletion(session: LoginSession) -> None:
    leaving.request_deletion(session=session)


def change_password(session: LoginSession) -> None:
    user = type(session.user)._base_manager.get(pk=session.user_id)
    user.set_password("tea-2048")
    user.save()


@pytest.mark.parametrize(
    "change", [log_out, log_out_others, ask_for_deletion, change_password], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("when", ["before_it_writes", "as_the_other_ends"])
def test_screen_is_not_signed_in_by_a_phone_that_is_signed_out_at_that_moment(
    make_user: Any, monkeypatch: pytest.MonkeyPatch, change: Any, when: str
) -> None:
    phone = open_session(make_user())
    shown = scanning.begin_scan(verifier=VERIFIER)
    services.look_at_scan(phone=phone, scan=shown.scan)
    services.confirm_scan(phone=phone, scan=shown.scan)
    threads = []

    def between(function: Any, call: Callable[[], Any]) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.undo()
            threads.append(meanwhile(call))
            return function(*args, **kwargs)

        return run

    def collect() -> None:
        with suppress(ScanInvalid):
            services.collect_scan(verifier=VERIFIER, scan=shown.scan)

    if when == "before_it_writes":
        monkeypatch.setattr(
            scanning, "open_session", between(scanning.open_session, lambda: change(phone))
        )
        collect()
    else:
        revoke = type(LoginSession.objects).revoke
        monkeypatch.setattr(type(LoginSession.objects), "revoke", between(revoke, collect))
        change(phone)
    for thread in threads:
        thread.join()
    assert len(threads) == 1
    left = LoginSession.objects.open_of(phone.user, now=timezone.now())
    assert left.count() == (1 if change is log_out_others else 0)
    assert DeletionRequest.objects.exists() is (change is ask_for_deletion)


def test_browser_of_the_password_before_is_opened_no_session(make_user: Any) -> None:
    user = make_user(password="tea-1024")
    change_password(LoginSession(user=user))
    with pytest.raises(TokenInvalid):
        services.adopt_session(user=user, began_at=timezone.now())
    assert not LoginSession.objects.exists()


@pytest.fixture
def storage(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.MEDIA_ROOT, settings.MEDIA_URL = tmp_path, "/media/"
    settings.WXAUTH_AVATAR_HOSTS = [".qlogo.cn"]
    monkeypatch.setattr(avatar_copies.downloads, "fetch", lambda address: picture())
    return tmp_path


def upload(user: Any) -> None:
    services.change_profile(user=user, changes={"avatar_url": "https://a.example/b.png"})


def delete(user: Any) -> None:
    services.delete_now(session=open_session(user))


def take_consent_back(user: Any) -> None:
    identity = user.wxauth_identities.get()
    message = {"Event": "user_authorization_revoke", "OpenID": identity.openid, "RevokeInfo": "20"}
    assert handle_event(app=conf.app("default"), message=message)


@pytest.mark.parametrize("change", [upload, delete, take_consent_back], ids=lambda f: f.__name__)
def test_copy_that_is_made_as_the_picture_goes_is_not_left(
    make_user: Any, storage: Path, monkeypatch: pytest.MonkeyPatch, app: WechatApp, change: Any
) -> None:
    user = make_user()
    WechatIdentity.objects.create(user=user, app_id=app.app_id, openid="o-alice")
    address = "https://thirdwx.qlogo.cn/mmopen/1/132"
    services.change_profile(user=user, changes={"avatar_url": address})
    lock_of, threads = type(WechatProfile.objects).lock_of, []

    def between(self: Any, user: Any) -> Any:
        found = lock_of(self, user)
        threads.append(meanwhile(lambda: services.copy_avatar(user=user)))
        return found

    monkeypatch.setattr(type(WechatProfile.objects), "lock_of", between)
    change(user)
    for thread in threads:
        thread.join()
    assert len(threads) == 1
    assert [each for each in storage.rglob("*") if each.is_file()] == []
