"""A picture from the phone becomes the user's own."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.api.answers import check_error
from tests.phone import Phone
from tests.test_images import opened, picture
from wxauth import images
from wxauth.images import MAX_BYTES, CleanImage
from wxauth.models import WechatProfile


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT, settings.MEDIA_URL = tmp_path, "/media/"
    return tmp_path


def upload(phone: Phone, content: bytes | None = None, *, name: str = "file") -> Any:
    file = SimpleUploadedFile("../../a.php", picture() if content is None else content)
    return phone.client.post("/api/me/avatar", {name: file}, format="multipart")


def files(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file()]


def test_picture_is_stored_and_shown(member: Phone, storage: Path) -> None:
    body = upload(member).json()
    (file,) = files(storage)
    assert body["avatar_url"] == f"http://testserver/media/wxauth/avatars/{file.name}"
    assert re.fullmatch(r"[\w-]{22}\.jpg", file.name)
    assert opened(CleanImage(file.read_bytes(), "jpg")).format == "JPEG"
    assert member.client.get("/api/me").json()["avatar_url"] == body["avatar_url"]


def test_next_picture_takes_the_place_of_the_first(
    member: Phone, storage: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first, second = (upload(member).json()["avatar_url"] for _ in "ab")
    (file,) = files(storage)
    assert first != second
    assert second.endswith(file.name)


def test_storage_with_a_host_keeps_its_address(member: Phone, settings: Any) -> None:
    settings.MEDIA_URL = "https://cdn.example.com/m/"
    address = upload(member).json()["avatar_url"]
    assert address.startswith("https://cdn.example.com/m/wxauth/avatars/")


@pytest.mark.parametrize(
    "content", [b"", b"<script>", picture()[:60], b"\x00" * 100], ids=["empty", "html", "half", "0"]
)
def test_what_is_no_picture_is_refused(member: Phone, storage: Path, content: bytes) -> None:
    check_error(upload(member, content), 400, "image_invalid")
    assert files(storage) == []
    assert WechatProfile.objects.get().avatar_url == ""


def test_picture_that_is_too_large_is_refused(member: Phone, storage: Path) -> None:
    check_error(upload(member, b"x" * (MAX_BYTES + 1)), 400, "image_invalid")
    check_error(upload(member, b"x" * (MAX_BYTES + images.MAX_BYTES)), 413, "body_too_large")
    assert files(storage) == []


def test_form_without_the_file_is_refused(member: Phone) -> None:
    check_error(upload(member, name="picture"), 400, "invalid_input")
    check_error(member.post("me/avatar", {"file": "text"}), 415, "unsupported_media_type")
    text = member.client.post("/api/me/avatar", {"file": "text"}, format="multipart")
    check_error(text, 400, "invalid_input")


def test_broken_form_is_refused(member: Phone) -> None:
    response = member.client.post(
        "/api/me/avatar", b"--x\r\nrubbish", content_type="multipart/form-data; boundary=y"
    )
    assert response.status_code == 400


def test_stranger_stores_nothing(phone: Phone, storage: Path) -> None:
    check_error(upload(phone), 401, "not_authenticated")
    assert files(storage) == []


def test_uploads_are_counted(member: Phone, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"person": "1/min"}
    assert [upload(member).status_code for _ in "ab"] == [200, 429]
