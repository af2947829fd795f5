"""A picture file becomes pixels, or is refused: no default of Pillow decides, and no file starts a program.

README.md has the same rules for users:

- The content tells which of `FORMATS` a file has, not its name.
- The size is checked before anything is decoded.
- `KINDS` lists the modes that are read as grey or in colour.
- Pixels are those that people see: turned upright as the file says, and laid on `GROUND` where they are transparent.
- Values are taken as they are stored: colour profiles and gamma are not applied.
- Further pictures that a camera adds to a JPEG (MPO: previews, depth) are passed over; the first one is the photo.
- `RULES` lists the reasons for a refusal.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headworks_data._advice import advice
from headworks_data.errors import SourceError
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Others start programs (EPS), hold other files (ICO), or do not tell how deep their pixels are (AVIF, JPEG 2000).
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
KINDS = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB", "RGBA": "RGB"}
# Deeper than a byte: only the owner of the data can decide how to squeeze such pixels in.
DEEP_MODES = frozenset({"F", "I", "I;16", "I;16B", "I;16L", "I;16N"})
BYTE_BITS = 8
# Of one picture, 8192 by 8192: below the limit at which Pillow suspects an attack (89 million).
MOST_PIXELS = 2**26
GROUND = "white"
# Global settings of Pillow, which some libraries change when they are imported.
SETTINGS = ((Image, "MAX_IMAGE_PIXELS", MOST_PIXELS), (ImageFile, "LOAD_TRUNCATED_IMAGES", False))
# How to turn a picture by its EXIF orientation.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Reasons for a refusal, and remedies.
RULES = {
    "link": "fetch its target, as with `dvc pull` or `git annex get`, or remove it",
    "special": "remove it",
    "empty": "fetch it again or remove it",
    "pointer": "fetch its content, as with `git lfs pull` or `git annex get`",
    "format": "convert, replace or remove it",
    "broken": "replace or remove it",
    "large": "scale it down",
    "size": "bring all images to one size",
    "pages": "save the picture that counts to a file of its own",
    "depth": "convert it to 8 bits",
    "colours": "convert it to grey or to RGB",
}
# First bytes of files that stand for content stored elsewhere.
POINTERS = (b"version https://git-lfs", b"/annex/objects/")


class PictureError(SourceError):
    """A rule refuses a file.

    Attributes:
        rule: Name of the rule.
    """

    def __init__(self, *, rule: str, what: str, remedy: str = "") -> None:
        """Join the fault and its remedy."""
        super().__init__(f"{what}: {remedy or RULES[rule]}")
        self.rule = rule


def read_picture(path: Path, first: tuple[Path, tuple[int, int]] | None = None) -> Image.Image:
    """Read one picture as people see it.

    Args:
        path: The file.
        first: Another picture with its width and height, which this one must have as well.

    Returns:
        The picture, in mode L or RGB.

    Raises:
        PictureError: A rule refuses the file.
    """
    try:
        _require_plain(path)
        with _own_settings(), Image.open(path, formats=FORMATS) as image:
            _require_header(path, image)
            if first:
                # Whether it is turned is known for sure only when it is decoded.
                _require_size(path, image.size, first, same=sorted(image.size) == sorted(first[1]))
            image.load()
            picture = _flat(_upright(image))
    except PictureError:
        raise
    except Exception as error:  # a decoder raises whatever its author did not foresee
        raise _refusal(path, error) from error
    if first:
        _require_size(path, picture.size, first, same=picture.size == first[1])
    return picture


@contextmanager
def _own_settings() -> Iterator[None]:
    """Within the block, Pillow reads pictures to their end, up to the size limit here, and warns of nothing."""
    before = [getattr(module, name) for module, name, _ in SETTINGS]
    try:
        for module, name, value in SETTINGS:
            setattr(module, name, value)
        # It warns of files that are refused here, and of faults that leave the pixels as they are.
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for (module, name, _), value in zip(SETTINGS, before, strict=True):
            setattr(module, name, value)


def _require_plain(path: Path) -> None:
    """Refuse anything but a plain file with content before it is opened: a pipe would never end."""
    if path.is_symlink() and not path.exists():
        raise PictureError(rule="link", what=f"{path} is a link to {path.readlink()}, where nothing is")
    if not path.is_file():
        raise PictureError(rule="special", what=f"{path} is a pipe, a socket or a device")
    if not path.stat().st_size:
        raise PictureError(rule="empty", what=f"{path} is empty")


def _require_header(path: Path, image: ImageFile.ImageFile) -> None:
    """Refuse a picture by its header."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise PictureError(rule="large", what=f"{path} has {width} x {height} pixels, more than {MOST_PIXELS:,}")
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise PictureError(rule="pages", what=f"{path} has several pages or is animated")
    if _is_deep(image):
        raise PictureError(rule="depth", what=f"{path} has more than 8 bits for each value (mode {image.mode})")
    if image.mode not in KINDS:
        raise PictureError(
            rule="colours",
            what=f"{path} has colours of mode {image.mode}, which programs turn to RGB in different ways",
        )


def _is_deep(image: ImageFile.ImageFile) -> bool:
    """Tell whether values have more than 8 bits, which Pillow would cut off in silence where the image is in colour."""
    if image.mode in DEEP_MODES:
        return True
    if isinstance(image, TiffImageFile):
        return bool(max(image.tag_v2.get(BITSPERSAMPLE, (1,))) > BYTE_BITS)
    # The layout of the values in the file; for PPM it may be a pair with the largest value.
    layout = image.tile[0][3] if image.tile else ""
    if image.format == "PPM" and isinstance(layout, tuple):
        return bool(layout[1] >= 2**BYTE_BITS)
    return image.format == "PNG" and ";16" in str(layout)


def _require_size(path: Path, size: tuple[int, int], first: tuple[Path, tuple[int, int]], *, same: bool) -> None:
    if not same:
        sizes = [f"{width} x {height} pixels" for width, height in (first[1], size)]
        raise PictureError(rule="size", what=f"{first[0]} has {sizes[0]} and {path} has {sizes[1]}")


def _upright(image: Image.Image) -> Image.Image:
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _flat(image: Image.Image) -> Image.Image:
    """Return a picture in its kind, without transparency: invisible pixels must not count as content."""
    kind = KINDS[image.mode]
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, GROUND)
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert(kind)


def _refusal(path: Path, error: Exception) -> PictureError:
    """Return the rule behind an error of Pillow."""
    if isinstance(error, Image.DecompressionBombError):
        return PictureError(rule="large", what=f"{path} has far more than {MOST_PIXELS:,} pixels")
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            start = file.read(max(map(len, POINTERS)))
        if start.startswith(POINTERS):
            return PictureError(rule="pointer", what=f"{path} only names the place of its content")
        return PictureError(rule="format", what=f"{path} is not an image of a known format ({', '.join(FORMATS)})")
    why = " ".join(str(error).split()) or type(error).__name__
    return PictureError(rule="broken", what=f"cannot read {path} as an image: {why}", remedy=advice(error, ""))
