"""Pictures that people upload: what is taken, and how it is made harmless. And code pictures."""

import io
import random
import threading
import warnings
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont, ImageOps

from wxauth.exceptions import ImageInvalid

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_BYTES = 4 * 1024 * 1024
# Looked at before anything is decoded: a small file can hold a huge picture. A JPEG is shrunk while
# it is decoded, and cameras make large ones.
MAX_PIXELS, MAX_PIXELS_OF_A_JPEG = 6_000_000, 32_000_000
# A JPEG is drawn in scans, each of them over the whole picture: cameras make a dozen at the most,
# and 4 MiB have room for minutes of work. Other bytes of a file can look like the start of one.
SCAN, MAX_SCANS = b"\xff\xda", 128
# What is said of warnings is said for the whole process: two threads would undo each other's.
_FILTERS = threading.Lock()
SIDE = 512  # pixels of what is kept
QUALITY = 88

CODE_SIZE = (120, 44)  # pixels


@dataclass(frozen=True, slots=True)
class CleanImage:
    """A picture that we have written ourselves, and the ending of its name."""

    content: bytes = field(repr=False)
    extension: str  # "jpg" or "png"


def clean(content: bytes) -> CleanImage:
    """
    Return the picture in ``content``, written anew: at most 512 pixels wide and high.

    What it is, its bytes say, not its name. A JPEG comes out, or a PNG where parts are
    transparent; of an animation the first frame. Places, comments and whatever else was in the
    file stay behind. Raise ``ImageInvalid`` for anything but JPEG, PNG, WebP and GIF of 4 MiB.
    """
    if not 0 < len(content) <= MAX_BYTES:
        raise ImageInvalid(reason="empty, or too many bytes")
    try:
        with _FILTERS, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # a file has room for 65536 of them
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _rewrite(content)
    except ImageInvalid:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything at broken files
        failure = ImageInvalid(reason=f"Pillow raised {type(error).__name__}")
    raise failure


def draw_code(text: str) -> bytes:
    """Return a PNG of 120 by 44 pixels on which a person reads ``text``."""
    chance = random.SystemRandom()
    image = Image.new("RGB", CODE_SIZE, "white")
    draw = ImageDraw.Draw(image)
    step = CODE_SIZE[0] // (len(text) + 1)
    for index, letter in enumerate(text):
        font = ImageFont.load_default(size=chance.randint(24, 32))
        tile = Image.new("L", (40, 40))
        ImageDraw.Draw(tile).text((8, 0), letter, fill=255, font=font)
        turned = tile.rotate(chance.uniform(-25, 25))
        ink = tuple(chance.randint(0, 130) for _ in range(3))
        place = (index * step + chance.randint(4, 10), chance.randint(-2, 4))
        image.paste(Image.new("RGB", turned.size, ink), place, turned)
    for _ in range(5):
        ends = [(chance.randint(0, CODE_SIZE[0]), chance.randint(0, CODE_SIZE[1])) for _ in "ab"]
        draw.line(ends, fill=tuple(chance.randint(90, 200) for _ in range(3)), width=1)
    return _bytes_of(image, "PNG")


def _rewrite(content: bytes) -> CleanImage:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > (MAX_PIXELS_OF_A_JPEG if image.format == "JPEG" else MAX_PIXELS):
            raise ImageInvalid(reason="too many pixels")
        if image.format in {"JPEG", "MPO"} and content.count(SCAN) > MAX_SCANS:
            raise ImageInvalid(reason="drawn too many times")
        image.draft("RGB", (SIDE, SIDE))
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        plain = _to_bytes(image).convert("RGBA" if has_alpha else "RGB")
        orientation = image.getexif()
    plain.thumbnail((SIDE, SIDE))
    plain.info.clear()
    plain.getexif().update(orientation)
    plain = ImageOps.exif_transpose(plain)
    plain.info.clear()
    if has_alpha:
        return CleanImage(_bytes_of(plain, "PNG"), "png")
    return CleanImage(_bytes_of(plain, "JPEG", quality=QUALITY), "jpg")


def _to_bytes(image: Image.Image) -> Image.Image:
    """Return greys of 16 bits as greys of 8: Pillow's own conversion makes nearly all white."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _bytes_of(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
