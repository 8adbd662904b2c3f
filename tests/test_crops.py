"""Crops as the winner's code cuts them."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fathomflow.crops import FLAGS, box_flags, crop_rectangles, cut, is_empty
from fathomflow.pixels import read_image
from golden import golden_boxes

SCALES = (3, 5, -1)
NAMES = ("object", "3", "5", "-1")


def test_golden_geometry_and_pixels() -> None:
    boxes = golden_boxes()
    assert len(boxes) == 26
    for box in boxes:
        rectangles = crop_rectangles(box.box, box.size, SCALES)
        assert [list(rectangle) for rectangle in rectangles] == [box.expected["crops"][name] for name in NAMES]
        image = read_image(box.image, box.size)[1]
        hashes = [hashlib.sha256(cut(image, rectangle, 256).tobytes()).hexdigest() for rectangle in rectangles]
        assert hashes == [box.expected["crop_u8_sha256"][name] for name in NAMES]


def test_by_hand() -> None:
    """Width 21 and height 10 at (100, 50): centre (110, 55), half 10."""
    assert crop_rectangles((100, 50, 21, 10), (400, 300), SCALES) == [
        (99, 44, 121, 66),
        (80, 25, 140, 85),
        (60, 5, 160, 105),
        (0, 0, 400, 300),
    ]
    # One pixel: half is 0, so the contexts are empty and the object's crop is not.
    object_crop, near, far, whole = crop_rectangles((5, 6, 1, 1), (40, 30), SCALES)
    assert object_crop == (4, 5, 6, 7)
    assert is_empty(near)
    assert is_empty(far)
    assert whole == (0, 0, 40, 30)
    # Fractions: int(-3.5 + 5.5 // 2) is -1, int(2.5 + 3.0 // 2) is 3, and half is 2.
    assert crop_rectangles((-3.5, 2.5, 5.5, 3.0), (40, 30), ())[0] == (0, 0, 2, 6)


@given(
    st.tuples(*[st.floats(-500, 500)] * 2, *[st.floats(0.01, 800)] * 2),
    st.tuples(st.integers(1, 600), st.integers(1, 600)),
)
def test_crops_lie_in_the_image_and_contexts_hold_each_other(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    rectangles = crop_rectangles(box, size, SCALES)
    for left, top, right, bottom in rectangles:
        assert 0 <= left <= right <= size[0]
        assert 0 <= top <= bottom <= size[1]
    near, far, whole = rectangles[1:]
    assert far[0] <= near[0]
    assert far[1] <= near[1]
    assert far[2] >= near[2]
    assert far[3] >= near[3]
    if box[0] >= 0 and box[0] + box[2] <= size[0] and box[1] >= 0 and box[1] + box[3] <= size[1]:
        assert whole == (0, 0, *size)


def test_an_empty_crop_is_black() -> None:
    image = Image.new("RGB", (20, 10), (200, 100, 50))
    assert not cut(image, (5, 5, 5, 9), 16).any()
    assert (cut(image, (0, 0, 20, 10), 16) == (200, 100, 50)).all()


def test_pixels_beyond_a_crop_do_not_bleed_into_it() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    assert not cut(Image.fromarray(pixels), (0, 0, 20, 40), 64).any()


@pytest.mark.parametrize(
    ("box", "flags"),
    [
        ((100, 50, 20, 10), ""),
        ((0, 50, 20, 10), "clamped"),
        ((370, 280, 40, 30), "clamped"),
        ((10, 10, 1, 1), "empty_context"),
        ((500, 50, 20, 10), "clamped outside empty_object empty_context"),
        ((-30, 50, 29, 90), "clamped outside"),
    ],
)
def test_flags(box: tuple[float, float, float, float], flags: str) -> None:
    found = box_flags(box, (400, 300), crop_rectangles(box, (400, 300), (3,)))
    assert found == flags
    assert set(found.split()) <= set(FLAGS)


@given(st.tuples(*[st.integers(0, 90)] * 2, *[st.integers(1, 200)] * 2))
def test_flags_agree_with_unclamped_arithmetic(box: tuple[int, int, int, int]) -> None:
    size = (100, 80)
    x, y, width, height = box
    half = math.floor(max(width, height) / 2)
    centre = x + width // 2, y + height // 2
    ends = [c + s * (half + 1) for c in centre for s in (-1, 1)]
    reaches_out = ends[0] < 0 or ends[1] > size[0] or ends[2] < 0 or ends[3] > size[1]
    flags = box_flags(box, size, crop_rectangles(box, size, SCALES)).split()
    assert ("clamped" in flags) == reaches_out
