"""One picture file: which are read, as which pixels, and which rule refuses the others."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from headworks_data import _picture as rules
from headworks_data._picture import PictureError, read_picture
from numpy.typing import NDArray
from PIL import Image, ImageFile

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (4, 6, 3), np.uint8)


def refusal(path: Path, first: tuple[Path, tuple[int, int]] | None = None) -> str:
    """Return the rule that refuses a file, whose message is one line that begins with the path or names it."""
    with pytest.raises(PictureError) as raised:
        read_picture(path, first)
    assert str(path) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    return raised.value.rule


def png(path: Path, size: tuple[int, int], *, depth: int, kind: int, rows: bytes) -> Path:
    """Write a PNG by hand, as Pillow cannot: of 16 bits in colour, or of a size that it does not hold."""
    header = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(it)) + name + it + struct.pack(">I", zlib.crc32(name + it)) for name, it in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize("form", ["BMP", "PNG", "PPM", "TIFF", "WEBP"])
@pytest.mark.parametrize("pixels", [COLOURS, COLOURS[..., 0]], ids=["colour", "grey"])
def test_a_picture_is_read_by_its_content_whatever_its_name(
    tmp_path: Path, form: str, pixels: NDArray[np.uint8]
) -> None:
    """Formats that keep pixels give them back, grey or in colour; WebP knows colours only."""
    Image.fromarray(pixels).save(tmp_path / "picture", format=form, lossless=True)
    found = np.asarray(read_picture(tmp_path / "picture"))
    expected = np.stack([pixels] * 3, axis=2) if form == "WEBP" and pixels.ndim == 2 else pixels
    assert (found == expected).all()


@pytest.mark.parametrize(("form", "mode"), [("GIF", "P"), ("JPEG", "L"), ("JPEG", "RGB"), ("PNG", "1")])
def test_other_pictures_of_a_known_format_are_read(tmp_path: Path, form: str, mode: str) -> None:
    """Palettes are in colour, and a picture of two tones is grey."""
    Image.new("RGB", (6, 4), "red").convert(mode).save(tmp_path / "picture", format=form)
    assert read_picture(tmp_path / "picture").mode == {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}[mode]


def test_no_setting_of_pillow_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries set them for the whole program when they are imported; afterwards they are what they were."""
    whole = tmp_path / "whole.png"
    Image.fromarray(COLOURS).save(whole)
    (tmp_path / "torn.png").write_bytes(whole.read_bytes()[:-30])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert (np.asarray(read_picture(whole)) == COLOURS).all()
    assert refusal(tmp_path / "torn.png") == "broken"
    assert Image.MAX_IMAGE_PIXELS == 1
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("form", ["ICO", "TGA", "JPEG2000", "SGI", "DDS", "PCX"])
def test_a_picture_of_another_format_is_refused(tmp_path: Path, form: str) -> None:
    """The formats are a list of this package, not whatever an installation of Pillow knows."""
    Image.fromarray(COLOURS).save(tmp_path / "picture.png", format=form)
    assert refusal(tmp_path / "picture.png") == "format"


def test_a_picture_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    header = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n0 0 16 16 rectfill\n%%EOF\n"
    (tmp_path / "picture.png").write_bytes(header)
    assert refusal(tmp_path / "picture.png") == "format"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_as_its_file_says(tmp_path: Path, form: str, orientation: int) -> None:
    """The pixels are those that people see, in each of the eight ways a camera may have been held."""
    upright = Image.fromarray(COLOURS).resize((48, 32), Image.Resampling.NEAREST)
    # What undoes a turn: only a quarter is not its own inverse.
    turn = rules.UPRIGHT.get({6: 8, 8: 6}.get(orientation, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if turn is None else upright.transpose(turn)
    stored.save(tmp_path / "picture", format=form, exif=exif, lossless=True, quality=95, subsampling=0)
    found = read_picture(tmp_path / "picture", (tmp_path / "first", upright.size))
    difference = np.abs(np.asarray(found, np.int64) - np.asarray(upright))
    assert difference.mean() < (15 if form == "JPEG" else 0.001)


def test_an_orientation_that_there_is_not_turns_nothing(tmp_path: Path) -> None:
    """A wrong value is no reason to refuse a picture."""
    exif = Image.Exif()
    exif[0x0112] = 9
    Image.fromarray(COLOURS).save(tmp_path / "picture.png", exif=exif)
    assert (np.asarray(read_picture(tmp_path / "picture.png")) == COLOURS).all()


def test_pixels_that_nobody_sees_do_not_count(tmp_path: Path) -> None:
    """A square on a transparent ground is one picture, however its file hides the rest: it lies on white."""
    square = np.full((8, 8, 4), (255, 255, 255, 0), np.uint8)
    square[2:6, 2:6] = (200, 200, 200, 255)
    other = square.copy()
    other[square[..., 3] == 0] = (0, 9, 99, 0)
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([1, 2, 3, 200, 200, 200])
    palette.paste(1, (2, 2, 6, 6))
    pictures = {"rgba": Image.fromarray(square), "hidden": Image.fromarray(other)}
    keyed = palette.convert("RGB")
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
        picture.save(tmp_path / f"{name}.webp", lossless=True, exact=True)
        picture.save(tmp_path / f"{name}.tiff")
    palette.save(tmp_path / "palette.png", transparency=0)
    palette.save(tmp_path / "palette.gif", transparency=0)
    keyed.save(tmp_path / "keyed.png", transparency=(1, 2, 3))
    expected = np.full((8, 8, 3), 255, np.uint8)
    expected[2:6, 2:6] = 200
    for path in tmp_path.iterdir():
        assert (np.asarray(read_picture(path)) == expected).all(), path.name
    Image.fromarray(square[..., [0, 3]].copy()).save(tmp_path / "grey.png")
    Image.fromarray(square[..., 0].copy()).save(tmp_path / "key.png", transparency=255)
    for name in ("grey.png", "key.png"):
        assert (np.asarray(read_picture(tmp_path / name)) == expected[..., 0]).all(), name


def test_transparency_that_hides_nothing_changes_nothing(tmp_path: Path) -> None:
    """An opaque picture is the same one with and without the channel, in every value of a pixel."""
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    opaque = np.stack([values, values.T, values[::-1], np.full_like(values, 255)], axis=2)
    Image.fromarray(opaque).save(tmp_path / "picture.png")
    assert (np.asarray(read_picture(tmp_path / "picture.png")) == opaque[..., :3]).all()


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_a_grey_picture_deeper_than_a_byte_is_refused(tmp_path: Path, mode: str) -> None:
    """How to squeeze it in is a decision of its owner."""
    Image.new(mode, (6, 4), 1).save(tmp_path / "picture.tiff")
    assert refusal(tmp_path / "picture.tiff") == "depth"


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_a_png_of_sixteen_bits_is_refused_in_colour_too(tmp_path: Path, kind: int, channels: int) -> None:
    """Pillow cuts the lower byte off in silence, except where the picture is grey."""
    rows = (b"\0" + bytes(6 * 2 * channels)) * 4
    assert refusal(png(tmp_path / "picture.png", (6, 4), depth=16, kind=kind, rows=rows)) == "depth"


@pytest.mark.parametrize(
    "header", [b"P6 2 1 65535\n", b"P6 2 1 256\n", b"P5 2 1 65535\n", b"P3 2 1 300\n", b"Pf 2 1 1.0\n"]
)
def test_a_ppm_of_larger_values_is_refused(tmp_path: Path, header: bytes) -> None:
    """Its header says how large the largest value is, not the mode that Pillow gives."""
    (tmp_path / "picture.ppm").write_bytes(header + bytes(24))
    assert refusal(tmp_path / "picture.ppm") == "depth"


@pytest.mark.parametrize("largest", [15, 255])
def test_a_ppm_of_bytes_is_read(tmp_path: Path, largest: int) -> None:
    """A smaller largest value is spread over the range of a byte."""
    (tmp_path / "picture.ppm").write_bytes(b"P6 2 1 %d\n" % largest + bytes([0, largest, 0] * 2))
    assert np.asarray(read_picture(tmp_path / "picture.ppm")).tolist() == [[[0, 255, 0]] * 2]


def test_a_tiff_of_sixteen_bits_in_colour_is_refused(tmp_path: Path) -> None:
    """Its tags say how many bits a value has."""
    tags = {256: 2, 257: 1, 258: (16, 16, 16), 259: 1, 262: 2, 273: 8, 277: 3, 278: 1, 279: 12}
    body = b"II*\0" + struct.pack("<I", 22) + bytes(14)
    bits = 22 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, 3, 3, bits)
        if isinstance(value, tuple)
        else struct.pack("<HHIHH", tag, 3, 1, value, 0)
        for tag, value in tags.items()
    )
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "picture.tiff").write_bytes(body + directory + struct.pack("<HHH", 16, 16, 16))
    with Image.open(tmp_path / "picture.tiff") as image:
        assert image.mode == "RGB"
    assert refusal(tmp_path / "picture.tiff") == "depth"


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("LAB", "TIFF"), ("YCbCr", "TIFF")])
def test_colours_that_depend_on_a_profile_are_refused(tmp_path: Path, mode: str, form: str) -> None:
    """There is more than one way to make RGB of them, and the owner of the data knows which."""
    Image.new(mode, (6, 4)).save(tmp_path / "picture", format=form)
    # Pillow 11.0 takes such a TIFF for RGB with a fourth channel, and finds too few bytes.
    assert refusal(tmp_path / "picture") in ({"colours", "broken"} if mode == "YCbCr" else {"colours"})


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF", "WEBP"])
def test_a_picture_of_several_pages_is_refused(tmp_path: Path, form: str) -> None:
    """None of its pages is the one that counts."""
    pages = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    pages[0].save(tmp_path / "picture", format=form, save_all=True, append_images=pages[1:])
    assert refusal(tmp_path / "picture") == "pages"


def test_what_a_camera_adds_to_a_photo_is_passed_over(tmp_path: Path) -> None:
    """A JPEG with a preview or a map of depth behind it is read as what it shows."""
    photo, preview = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    photo.save(tmp_path / "picture.jpg", format="MPO", save_all=True, append_images=[preview])
    photo.save(tmp_path / "alone.jpg")
    with Image.open(tmp_path / "picture.jpg") as image:
        assert image.format == "MPO"
    assert (
        np.asarray(read_picture(tmp_path / "picture.jpg")) == np.asarray(read_picture(tmp_path / "alone.jpg"))
    ).all()


@pytest.mark.parametrize("size", [(13000, 13000), (8193, 8192), (2**30, 2**30)])
def test_a_picture_too_large_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    """Nothing is decoded: there are no rows in this file, which would be another fault."""
    assert refusal(png(tmp_path / "picture.png", size, depth=8, kind=2, rows=b"")) == "large"


def test_a_picture_of_another_size_is_refused_by_its_header(tmp_path: Path) -> None:
    """A large picture among small ones is not decoded; one that is turned may be."""
    first = (tmp_path / "first.png", (6, 4))
    assert refusal(png(tmp_path / "large.png", (8000, 8000), depth=8, kind=2, rows=b""), first) == "size"
    Image.new("RGB", (4, 6)).save(tmp_path / "turned.png")
    assert refusal(tmp_path / "turned.png", first) == "size"


@pytest.mark.parametrize("form", ["BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
def test_a_truncated_picture_is_refused(tmp_path: Path, form: str) -> None:
    """Half a file is no picture with a grey half."""
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "whole", format=form)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    assert refusal(tmp_path / "half") in {"broken", "format"}


@pytest.mark.parametrize(
    "error",
    [
        SyntaxError("bad\nheader"),
        struct.error("too short"),
        ValueError(),
        OverflowError("too large"),
        NotImplementedError("no such form"),
        MemoryError(),
        EOFError("no more"),
        OSError("truncated"),
        ZeroDivisionError("division by zero"),
        RecursionError("too deep"),
    ],
)
def test_whatever_a_decoder_raises_refuses_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Pillow raises errors of every kind for files that it cannot decode."""

    def fail(_: object) -> None:
        raise error

    Image.fromarray(COLOURS).save(tmp_path / "picture.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    assert refusal(tmp_path / "picture.png") == "broken"


def test_a_file_that_may_not_be_read_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A permission is no fault of the picture."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    Image.fromarray(COLOURS).save(tmp_path / "picture.png")
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PictureError, match="Permission denied: change the permissions"):
        read_picture(tmp_path / "picture.png")


def test_a_file_that_stands_for_another_one_is_named(tmp_path: Path) -> None:
    """Pointers of git extensions, links that lead nowhere, and an empty file each say how to fetch what is meant."""
    (tmp_path / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (tmp_path / "annex.png").write_text("/annex/objects/SHA256E-s1--0.png\n")
    (tmp_path / "link.png").symlink_to(".git/annex/objects/gone.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "empty.png").touch()
    rules_found = {path.stem: refusal(path) for path in tmp_path.iterdir()}
    assert rules_found == {"lfs": "pointer", "annex": "pointer", "link": "link", "loop": "link", "empty": "empty"}


def test_what_is_no_plain_file_is_named_and_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        for name in ("pipe.png", "socket.png"):
            assert refusal(tmp_path / name) == "special"


def test_the_documents_name_every_rule_and_format() -> None:
    """The table in README.md is that of the code."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for rule in rules.RULES:
        assert f"| `{rule}` |" in readme
    shown = {"PPM": "PPM (PGM, PBM)", "WEBP": "WebP"}
    assert ", ".join(shown.get(form, form) for form in rules.FORMATS) in readme.replace("\n", " ")
    assert f"{rules.MOST_PIXELS:,}" in readme
