from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathomflow.errors import InputError
from fathomflow.image_names import check_file_names, problem_with


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("/etc/passwd", "absolute"),
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("x" * 300, "longer than 255"),
        ("é" * 128, "longer than 255"),
        ("", "empty"),
        ("a//b", "empty or '.' part"),
        ("./a", "empty or '.' part"),
        ("a\\b", "backslash"),
        ("\ud800", "no valid text"),
    ],
)
def test_hostile_names_are_refused(name, problem):
    assert problem in problem_with(name)
    with pytest.raises(InputError, match=r"images\.csv: image 3: file_name"):
        check_file_names("images.csv", [(3, name)])


@pytest.mark.parametrize("name", ["a.png", "dive 7/ä.png", "x" * 255, "..png", "a.b/c"])
def test_harmless_names_pass(name):
    assert problem_with(name) is None


@given(st.text(max_size=40))
def test_a_name_that_passes_stays_in_its_folder(name):
    if problem_with(name) is None:
        folder = Path("/store/images")
        assert Path(f"{folder}/{name}").resolve().is_relative_to(folder)
        assert (folder / name).name == name.rpartition("/")[2]


def test_clashes_and_all_problems_are_named_at_once():
    with pytest.raises(InputError) as error:
        check_file_names("i.csv", [(1, "a.png"), (2, "a.png"), (3, "d/x.png"), (4, "d"), (5, "../y")])
    assert len(error.value.problems) == 3
    text = str(error.value)
    assert "images 1 and 2 share" in text
    assert "file_name 'd' is also a folder of image 3" in text
    assert "image 5" in text
