"""Pictures of people: what is taken, and what comes out."""

import io
import struct
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from wxauth import images
from wxauth.exceptions import ImageInvalid

pytestmark = pytest.mark.static


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind, **options)
    return buffer.getvalue()


def opened(clean: images.CleanImage) -> Image.Image:
    return Image.open(io.BytesIO(clean.content))


@pytest.mark.parametrize(
    ("grey", "shown"), [(0, 0), (0x4000, 0x40), (0x8000, 0x80), (0xFFFF, 0xFF)]
)
def test_greys_of_16_bits_stay_as_dark_as_they_are(grey: int, shown: int) -> None:
    buffer = io.BytesIO()
    Image.new("I;16", (40, 30), grey).save(buffer, "PNG")
    assert opened(images.clean(buffer.getvalue())).getpixel((5, 5)) == (shown, shown, shown)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_picture_comes_out_as_a_jpeg(kind: str) -> None:
    clean = images.clean(picture(kind))
    assert clean.extension == "jpg"
    assert opened(clean).format == "JPEG"
    assert opened(clean).size == (40, 30)


def test_large_picture_is_shrunk_and_keeps_its_shape() -> None:
    assert opened(images.clean(picture("JPEG", (3000, 1500)))).size == (512, 256)


def test_transparent_picture_stays_transparent() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(buffer, "PNG")
    clean = images.clean(buffer.getvalue())
    assert clean.extension == "png"
    assert opened(clean).getpixel((0, 0))[3] == 0


def test_picture_of_few_colours_stays_transparent() -> None:
    buffer = io.BytesIO()
    Image.new("P", (10, 10), 0).save(buffer, "PNG", transparency=0)
    assert images.clean(buffer.getvalue()).extension == "png"


def test_place_comment_and_tail_stay_behind() -> None:
    exif = Image.Exif()
    exif[0x9286] = "at home"  # UserComment
    exif[0x0112] = 6  # turned by a quarter
    content = picture("JPEG", exif=exif, comment=b"<script>") + b"<?php echo 1 ?>"
    clean = images.clean(content)
    assert opened(clean).size == (30, 40)
    assert not opened(clean).getexif()
    for secret in (b"at home", b"<script>", b"<?php"):
        assert secret in content
        assert secret not in clean.content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script></html>",
        picture()[:60],
        picture("BMP"),
        picture("TIFF"),
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        b"\0" * (images.MAX_BYTES + 1),
    ],
    ids=["empty", "a head", "SVG", "HTML", "half", "BMP", "TIFF", "zeros", "too large"],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ImageInvalid):
        images.clean(content)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_small_file_with_a_huge_picture_is_refused_before_it_is_decoded(kind: str) -> None:
    content = picture(kind, (3001, 2000))
    assert len(content) < images.MAX_BYTES
    tracemalloc.start()
    with pytest.raises(ImageInvalid, match="too many pixels"):
        images.clean(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1024 * 1024
    assert images.clean(picture(kind, (3000, 2000))).extension == "jpg"


def test_large_photograph_is_taken_and_a_huge_one_is_not() -> None:
    assert opened(images.clean(picture("JPEG", (6400, 4800)))).size == (512, 384)
    with pytest.raises(ImageInvalid, match="too many pixels"):
        images.clean(picture("JPEG", (8000, 4001)))


def test_faults_beside_the_picture_are_not_warned_of_one_by_one() -> None:
    tags = b"".join(struct.pack("<HHII", tag, 2, 99_999_999, 0) for tag in range(100))
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 100) + tags + bytes(4)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        assert opened(images.clean(picture("JPEG", exif=exif))).size == (40, 30)
    assert shown == []


def test_photograph_that_is_drawn_again_and_again_is_refused() -> None:
    content = picture("JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    assert opened(images.clean(content[:-2] + 50 * last + content[-2:])).size == (40, 30)
    with pytest.raises(ImageInvalid, match="drawn"):
        images.clean(content[:-2] + 200 * last + content[-2:])


def test_false_size_in_the_head_is_refused() -> None:
    content = bytearray(picture())
    content[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height
    with pytest.raises(ImageInvalid):
        images.clean(bytes(content))


def test_code_picture_differs_each_time() -> None:
    assert images.draw_code("AB23").startswith(b"\x89PNG")
    assert images.draw_code("AB23") != images.draw_code("AB23")


def test_filters_of_warnings_are_what_they_were_after_many_threads() -> None:
    before = list(warnings.filters)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(images.clean, [picture(size=(200, 200))] * 200))
    assert list(warnings.filters) == before
