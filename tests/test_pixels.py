"""Every kind of image becomes RGB by a written rule, or is refused with a reason."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import shared_folder
from fathomflow.image_check import ImageError
from fathomflow.pixels import decode_rgb, read_image, to_rgb


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(image: Image.Image, kind: str = "PNG", **options: object) -> np.ndarray:
    result = decode_rgb(encoded(image, kind, **options), image.size)
    assert result.mode == "RGB"
    return np.asarray(result)


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
RGB = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def test_rgb_and_grey() -> None:
    assert (decoded(Image.fromarray(RGB)) == RGB).all()
    assert (decoded(Image.fromarray(GREY)) == GREY[..., None]).all()


def test_one_bit_becomes_black_and_white() -> None:
    assert (decoded(Image.fromarray(GREY > 100)) == np.where(GREY > 100, 255, 0)[..., None]).all()


def test_sixteen_bits_give_their_high_byte() -> None:
    deep = GREY.astype(np.uint16) * 256 + 200
    assert (decoded(Image.fromarray(deep)) == GREY[..., None]).all()
    assert (decoded(Image.fromarray(deep), "TIFF") == GREY[..., None]).all()


def test_alpha_is_dropped_not_blended() -> None:
    alpha = Image.fromarray(GREY)
    with_alpha = Image.fromarray(RGB)
    with_alpha.putalpha(alpha)
    assert (decoded(with_alpha) == RGB).all()
    grey = Image.fromarray(GREY)
    grey.putalpha(Image.fromarray(GREY[::-1]))
    assert grey.mode == "LA"
    assert (decoded(grey) == GREY[..., None]).all()


def test_palettes_are_looked_up() -> None:
    colours = [(255, 0, 0), (0, 128, 0), (7, 8, 9)]
    indices = GREY % 3
    image = Image.fromarray(indices, "P")
    image.putpalette([channel for colour in colours for channel in colour])
    expected = np.array(colours, np.uint8)[indices]
    assert (decoded(image) == expected).all()
    # A transparent colour is a colour.
    assert (decoded(image, transparency=1) == expected).all()
    assert (np.asarray(to_rgb(image.convert("PA"))) == expected).all()


def test_cmyk() -> None:
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert (np.abs(decoded(inks, "TIFF").astype(int) - (0, 255, 255)) <= 1).all()


def test_a_kind_without_a_rule_is_refused() -> None:
    with pytest.raises(ImageError, match="mode F; there is no rule"):
        decode_rgb(encoded(Image.new("F", (4, 4)), "TIFF"), (4, 4))


def test_rotation_marks_are_ignored() -> None:
    image = Image.fromarray(RGB[:8])
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_rgb(encoded(image, "PNG", exif=exif), image.size).size == (16, 8)


def test_damage(tmp_path: Path) -> None:
    whole = encoded(Image.fromarray(RGB))
    for data, message in (
        (whole[: len(whole) // 2], "cannot be decoded"),
        (b"", "the file is empty"),
        (b"<html>gone</html>", "not an image in a known format"),
    ):
        with pytest.raises(ImageError, match=message):
            decode_rgb(data, (16, 16))
    with pytest.raises(ImageError, match="16x16 pixels, the annotations say 32x16"):
        decode_rgb(whole, (32, 16))
    with pytest.raises(ImageError, match="the file is absent"):
        read_image(tmp_path / "absent.png", (16, 16))
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path, (16, 16))


def test_what_the_winners_code_cannot_read() -> None:
    folder = shared_folder("golden-a") / "unsupported"
    for name in ("bilevel.png", "gray16.png", "palette.png"):
        with Image.open(folder / name) as image:
            size = image.size
        assert read_image(folder / name, size)[1].mode == "RGB"
    with Image.open(folder / "truncated.png") as image:
        size = image.size
    with pytest.raises(ImageError, match="cannot be decoded: "):
        read_image(folder / "truncated.png", size)
