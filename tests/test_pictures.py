from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fathomflow.pictures import CROP_SCHEMA, crop_window, cut_image, encode_picture, read_pictures, write_pictures


@settings(deadline=None)
@given(st.tuples(*[st.floats(-500, 500)] * 2, *[st.floats(0.1, 500)] * 2), st.integers(1, 300), st.integers(1, 300))
def test_a_window_lies_inside_the_image(box: tuple[float, float, float, float], width: int, height: int) -> None:
    window = crop_window(box, width, height)
    if window is None:
        x, y, w, h = box
        assert x > width or y > height or x + w < 0 or y + h < 0
    else:
        left, top, right, bottom = window
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


def test_a_window_has_a_margin() -> None:
    assert crop_window((100, 100, 50, 20), 640, 480) == (96, 96, 154, 124)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_every_mode_becomes_a_small_webp(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.png"
    Image.new(mode, (1000, 500)).save(path)
    frame, crops = cut_image(path, [(1, (0, 0, 100, 100)), (2, (2000, 0, 10, 10))])
    assert Image.open(io.BytesIO(frame)).size[0] < 1000
    assert list(crops) == [1]
    assert Image.open(io.BytesIO(crops[1])).format == "WEBP"


def test_small_pictures_are_not_enlarged_and_bytes_are_stable() -> None:
    image = Image.linear_gradient("L").convert("RGB").resize((20, 10))
    assert Image.open(io.BytesIO(encode_picture(image, 100))).size == (20, 10)
    assert encode_picture(image, 100) == encode_picture(image, 100)


def test_pictures_are_read_by_id(tmp_path: Path) -> None:
    path = tmp_path / "crops.parquet"
    write_pictures(path, CROP_SCHEMA, {key: bytes([key % 256]) for key in range(1000, 0, -1)})
    assert read_pictures(path, [3, 999, 5000]) == {3: b"\x03", 999: b"\xe7"}
    assert read_pictures(path, []) == {}
