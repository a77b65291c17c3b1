"""Uploaded avatars: where they lie, and when they go."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from tests.test_images import picture
from wxauth import services
from wxauth.exceptions import ImageInvalid, InvalidInput, TokenInvalid
from wxauth.models import LoginSession, WechatProfile

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def upload(user: Any, path: Path) -> tuple[str, Path]:
    address = services.store_avatar(user=user, content=picture())
    services.change_profile(user=user, changes={"avatar_url": f"https://a.example/{address}"})
    return f"https://a.example/{address}", path / "wxauth" / "avatars" / Path(address).name


def test_name_tells_nothing_of_the_user(make_user: Any, tmp_path: Path) -> None:
    user = make_user("zoe")
    _, first = upload(user, tmp_path)
    _, second = upload(user, tmp_path)
    assert first.name != second.name
    assert len(first.stem) == 22
    assert second.read_bytes().startswith(b"\xff\xd8")


def test_rubbish_is_not_stored(make_user: Any, tmp_path: Path) -> None:
    with pytest.raises(ImageInvalid):
        services.store_avatar(user=make_user(), content=b"<script>")
    assert list(tmp_path.iterdir()) == []


def test_picture_goes_when_it_is_replaced(
    make_user: Any, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    user = make_user()
    with django_capture_on_commit_callbacks(execute=True):
        _, first = upload(user, tmp_path)
        _, second = upload(user, tmp_path)
    assert not first.exists()
    assert second.exists()
    with django_capture_on_commit_callbacks(execute=True):
        services.change_profile(user=user, changes={"nickname": "Zoe"})
    assert second.exists()


def test_picture_goes_with_the_account(
    make_user: Any, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    user = make_user()
    _, file = upload(user, tmp_path)
    now = timezone.now()
    session = LoginSession.objects.create(
        user=user, rotated_at=now, expires_at=now + timedelta(days=1)
    )
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_now(session=session)
    assert not file.exists()


@pytest.mark.parametrize("theirs", ["https://a.example", "https://b.example", "//c.example/x?"])
def test_picture_of_somebody_else_stays(
    make_user: Any, tmp_path: Path, theirs: str, django_capture_on_commit_callbacks: Any
) -> None:
    address, file = upload(make_user("owner"), tmp_path)
    thief = make_user("thief")
    address = address.replace("https://a.example", theirs)
    services.change_profile(user=thief, changes={"avatar_url": address})
    with django_capture_on_commit_callbacks(execute=True):
        services.change_profile(user=thief, changes={"avatar_url": ""})
    assert file.exists()


def test_picture_of_who_has_gone_is_not_stored(make_user: Any, tmp_path: Path) -> None:
    user = make_user()
    type(user).objects.all().delete()
    with pytest.raises(TokenInvalid):
        services.store_avatar(user=user, content=picture())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    ["", "https://a.example/x.jpg", "https://a.example/wxauth/avatars/../../settings.py"],
)
def test_addresses_of_others_are_left_alone(
    make_user: Any,
    tmp_path: Path,
    address: str,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(type(default_storage), "delete", None, raising=False)
    user = make_user()
    services.change_profile(user=user, changes={"avatar_url": address})
    with django_capture_on_commit_callbacks(execute=True) as calls:
        services.change_profile(user=user, changes={"avatar_url": "https://a.example/new.jpg"})
    assert calls == []


def test_further_attributes_do_not_grow_without_end(make_user: Any) -> None:
    user = make_user()
    for n in range(3):
        services.change_profile(user=user, changes={}, more={f"k{n}": "v" * 5000})
    with pytest.raises(InvalidInput):
        services.change_profile(user=user, changes={}, more={"k": "v" * 5000})
    assert set(WechatProfile.objects.get().ext) == {"k0", "k1", "k2"}
