from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathomflow.image_check import ImageError, check_image
from images import HEIGHT, WIDTH, image_bytes

WHOLE = {kind: image_bytes(7, kind=kind) for kind in ("PNG", "JPEG")}


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGB", "PNG"), ("RGBA", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGB", "JPEG"), ("RGB", "TIFF")]
)
def test_whole_images_give_their_mode(tmp_path, mode, kind):
    path = tmp_path / "x"
    path.write_bytes(image_bytes(1, mode=mode, kind=kind))
    assert check_image(path, WIDTH, HEIGHT) == mode


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(["PNG", "JPEG"]), share=st.floats(0, 1, exclude_max=True))
def test_every_image_that_is_cut_short_is_refused(tmp_path_factory, kind, share):
    whole = WHOLE[kind]
    path = tmp_path_factory.mktemp("cut") / "x"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError):
        check_image(path, WIDTH, HEIGHT)


def test_the_last_byte_counts(tmp_path):
    for kind, whole in WHOLE.items():
        path = tmp_path / kind
        path.write_bytes(whole[:-1])
        with pytest.raises(ImageError, match=r"end marker|cannot be decoded"):
            check_image(path, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><p>quota exceeded", "web page"),
        (b"sea water", "not an image in a known format"),
        (image_bytes(1, width=20, height=10), "20x10 pixels, the annotations say 40x30"),
    ],
)
def test_what_is_no_such_image_is_named(tmp_path, data, message):
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message):
        check_image(path, WIDTH, HEIGHT)


def test_messages_do_not_hold_the_temporary_name(tmp_path):
    path = tmp_path / ".abc.123-ff.part"
    path.write_bytes(WHOLE["PNG"][:600])
    with pytest.raises(ImageError) as error:
        check_image(path, WIDTH, HEIGHT)
    assert "123-ff" not in str(error.value)
