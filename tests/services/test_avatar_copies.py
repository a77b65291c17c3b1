"""Copies of the pictures at WeChat: made once, put in place only if nothing has changed."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from tests.services.test_oauth import prove  # noqa: F401  a fixture
from tests.test_images import picture
from tests.web.conftest import apps, wechat  # noqa: F401  fixtures
from tests.wechat.raw_server import RawServer, http, serve
from wxauth import downloads, services
from wxauth.conf import WechatApp
from wxauth.exceptions import StoreUnavailable
from wxauth.models import WechatIdentity, WechatProfile
from wxauth.services import AvatarCopy
from wxauth.services.wechat_events import handle_event
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

SITE = "https://shop.example.com"
PNG = "Content-Type: image/png\r\n"


@pytest.fixture(autouse=True)
def _storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.MEDIA_URL = tmp_path, "/media/"
    settings.WXAUTH_AVATAR_HOSTS = [".qlogo.cn", "127.0.0.1"]


@pytest.fixture
def host() -> Iterator[RawServer]:
    """Where WeChat's pictures are."""
    with serve(http(picture(), headers=PNG)) as server:
        yield server


def show(user: Any, server: RawServer | str) -> str:
    """Let the user's picture lie there; return its address."""
    address = server if isinstance(server, str) else f"http://127.0.0.1:{server.server_address[1]}/"
    services.change_profile(user=user, changes={"avatar_url": address})
    return address


def shown(user: Any) -> str:
    return WechatProfile.objects.get(user=user).avatar_url


def files(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file()]


def test_picture_is_copied_and_shown_from_here(
    make_user: Any, host: RawServer, tmp_path: Path
) -> None:
    user = make_user()
    show(user, host)
    assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.COPIED
    (copy,) = files(tmp_path)
    assert shown(user) == f"{SITE}/media/wxauth/avatars/{copy.name}"
    assert copy.read_bytes().startswith(b"\xff\xd8")  # written anew, as with what people upload
    assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.NOTHING
    assert len(host.requests) == 1


def test_address_of_a_storage_with_a_host_stays_as_it_is(
    make_user: Any, host: RawServer, settings: Any
) -> None:
    settings.MEDIA_URL = "https://cdn.example.com/media/"
    user = make_user()
    show(user, host)
    services.copy_avatar(user=user)
    assert shown(user).startswith("https://cdn.example.com/media/wxauth/avatars/")


def test_picture_that_changes_meanwhile_wins(
    make_user: Any, host: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    show(user, host)
    fetch = downloads.fetch

    def slow(url: str) -> bytes:
        show(user, "https://a.example/mine")
        return fetch(url)

    monkeypatch.setattr(downloads, "fetch", slow)
    assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.NOTHING
    assert shown(user) == "https://a.example/mine"
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "answer",
    [
        http(b"", status="404 Gone"),
        http(b"<svg onload=alert(1)>", headers="Content-Type: image/svg+xml\r\n"),
        http(picture()[:60], headers=PNG),
    ],
    ids=["gone", "svg", "broken"],
)
def test_picture_that_is_none_is_not_asked_for_again(
    make_user: Any, answer: bytes, tmp_path: Path
) -> None:
    user = make_user()
    with serve(answer) as host:
        address = show(user, host)
        assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.REFUSED
    assert shown(user) == address
    assert list(services.pending_avatars(limit=9)) == []
    assert files(tmp_path) == []
    show(user, "https://thirdwx.qlogo.cn/another")  # another picture, another chance
    assert list(services.pending_avatars(limit=9)) == [user]


def test_host_that_fails_is_asked_again(make_user: Any) -> None:
    user = make_user()
    with serve(http(b"", status="503 Busy"), http(picture(), headers=PNG)) as host:
        show(user, host)
        assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.LATER
        assert list(services.pending_avatars(limit=9)) == [user]
        assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.COPIED


@pytest.mark.parametrize(
    "address", ["", "https://a.example/b.png", "http://169.254.169.254/", "https://qlogo.cn.evil/"]
)
def test_address_that_is_not_wechats_is_left_alone(
    make_user: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(url: str) -> bytes:
        raise AssertionError(url)

    monkeypatch.setattr(downloads, "fetch", fetch)
    user = make_user()
    show(user, address)
    assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.NOTHING
    assert list(services.pending_avatars(limit=9)) == []
    assert shown(user) == address


def test_user_without_a_profile_has_nothing_to_copy(make_user: Any) -> None:
    assert services.copy_avatar(user=make_user()) is AvatarCopy.NOTHING


def test_sign_in_fetches_nothing(make_user: Any, host: RawServer) -> None:
    show(make_user(), host)
    assert host.requests == []


def test_picture_of_who_signs_in_is_copied_and_dies_at_wechat(
    wechat: WechatSimulator,  # noqa: F811
    prove: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    user = services.sign_in_by_oauth(proof=prove()).user
    assert shown(user).startswith(wechat.base_url)
    wechat.change_avatar("alice")
    assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.REFUSED
    services.change_profile(user=user, changes={"nickname": "", "avatar_url": ""})
    services.sign_in_by_oauth(proof=prove())  # which fills the blank profile
    assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.COPIED
    assert len(files(tmp_path)) == 1


# The command


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("wxauth_copy_avatars", *arguments, stdout=out)
    return out.getvalue()


def test_command_copies_all_that_are_pending(
    make_user: Any, host: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.avatar_copies, "PAGE", 2)
    users = [make_user(f"person-{number}") for number in range(5)]
    for user in users:
        show(user, host)
    assert run("--base-url", SITE, "--limit", "3") == "copied: 3\n"
    assert run("--base-url", SITE, "--limit", "1") == "copied: 1\n"
    assert run("--base-url", SITE, "--verbosity", "0") == ""
    assert run("--base-url", SITE) == ""
    assert len({shown(user) for user in users}) == 5
    assert all(default_storage.exists(shown(u).partition("/media/")[2]) for u in users)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--base-url"),
        (("--base-url", "shop.example.com"), "--base-url"),
        (("--base-url", "//shop.example.com"), "--base-url"),
        (("--base-url", "https:shop.example.com"), "--base-url"),
        (("--base-url", SITE, "--limit", "0"), "--limit"),
    ],
)
def test_command_says_what_it_lacks(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)


def test_command_without_hosts_says_so_and_is_content(settings: Any) -> None:
    settings.WXAUTH_AVATAR_HOSTS = []
    assert "names no host" in run("--base-url", SITE)
    assert run("--verbosity", "0") == ""


def test_command_asks_for_no_address_where_the_storage_has_one(
    make_user: Any, host: RawServer, settings: Any
) -> None:
    settings.MEDIA_URL = "https://cdn.example.com/media/"
    user = make_user()
    show(user, host)
    assert run() == "copied: 1\n"
    assert shown(user).startswith("https://cdn.example.com/media/wxauth/avatars/")


@pytest.mark.parametrize(
    "event",
    [
        {"Event": "user_authorization_revoke", "RevokeInfo": "20"},
        {"Event": "user_info_modified"},
    ],
    ids=lambda event: event["Event"],
)
def test_copy_goes_when_wechat_says_that_the_picture_must(
    make_user: Any,
    host: RawServer,
    tmp_path: Path,
    app: WechatApp,
    django_capture_on_commit_callbacks: Any,
    event: dict[str, str],
) -> None:
    user = make_user()
    WechatIdentity.objects.create(user=user, app_id=app.app_id, openid="o-alice")
    show(user, host)
    services.copy_avatar(user=user)
    assert len(files(tmp_path)) == 1
    with django_capture_on_commit_callbacks(execute=True):
        handle_event(app=app, message={**event, "OpenID": "o-alice"})
    assert shown(user) == ""
    assert files(tmp_path) == []


def test_storage_that_is_full_is_tried_again_later(
    make_user: Any, host: RawServer, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    user = make_user()
    address = show(user, host)
    with monkeypatch.context() as patch:
        patch.setattr(default_storage, "save", fail)
        assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.LATER
        with pytest.raises(StoreUnavailable):
            services.store_avatar(user=user, content=picture())
    assert "No space left" in caplog.text
    assert shown(user) == address
    assert services.copy_avatar(user=user, base_url=SITE) is AvatarCopy.COPIED
