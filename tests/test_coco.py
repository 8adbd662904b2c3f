"""Annotation files: what is kept, what is flagged, what is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathomflow.coco import box_flags, read_coco
from fathomflow.errors import InputError


def document() -> dict[str, list[dict[str, object]]]:
    return {
        "images": [
            {"id": 7, "width": 100, "height": 50, "file_name": "a.png", "coco_url": "http://host/a.png"},
            {"id": 3, "width": 10, "height": 10, "file_name": "b.png"},
        ],
        "annotations": [
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [1.5, 2, 30, 40]},
            {"id": 1, "image_id": 7, "category_id": None, "bbox": [90, 0, 20, 10]},
        ],
        "categories": [{"id": 1, "name": "Elpidia"}, {"id": 2, "name": "Peniagone"}],
    }


def write(folder: Path, content: object) -> Path:
    path = folder / "split.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_boxes_and_labels_part(tmp_path: Path) -> None:
    found = read_coco(write(tmp_path, document()))
    assert "label" not in found.regions
    assert "category_id" not in found.regions
    assert found.labels.to_dict("records") == [{"annotation_id": 2, "label": "Elpidia"}]
    assert found.regions.set_index("annotation_id").loc[2].to_dict() == {
        "image_id": 7,
        "file_name": "a.png",
        "x": 1.5,
        "y": 2.0,
        "width": 30.0,
        "height": 40.0,
        "image_width": 100,
        "image_height": 50,
        "flags": "",
    }
    assert found.regions.set_index("annotation_id").loc[1, "flags"] == "clipped"
    assert found.images["uri"].tolist() == ["http://host/a.png", ""]


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("annotations", 0, "image_id"), 8, r"annotations\[0\] \(id 2\): image_id 8 is not among the images"),
        (("annotations", 0, "category_id"), 9, r"annotations\[0\] \(id 2\): category_id 9 is not among the categories"),
        (("annotations", 0, "bbox"), [0, 0, 0, 5], r"width and height must be positive"),
        (("annotations", 0, "bbox"), [0, 0, float("nan"), 5], r"not four finite numbers"),
        (("annotations", 0, "bbox"), [0, 0, 5], r"not four finite numbers"),
        (("annotations", 0, "bbox"), None, r"not four finite numbers"),
        (("annotations", 0, "id"), 1, r"annotations: id 1 stands twice"),
        (("annotations", 0, "id"), "x", r"id is 'x', not a whole number"),
        (("images", 0, "id"), 3, r"images: id 3 stands twice"),
        (("images", 0, "file_name"), "b.png", r"images: file_name 'b.png' stands twice"),
        (("images", 0, "width"), 0, r"images\[0\] \(id 7\): width is 0"),
        (("categories", 0, "name"), "Peniagone", r"categories: name 'Peniagone' stands twice"),
        (("categories", 0, "name"), " Elpidia", r"with spaces around it"),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    tmp_path: Path, where: tuple[str, int, str], value: object, message: str
) -> None:
    content = document()
    content[where[0]][where[1]][where[2]] = value
    with pytest.raises(InputError, match=message):
        read_coco(write(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not a JSON file"), ("[]", "a COCO file is a JSON object"), ('{"images": []}', "no list 'annotations'")],
)
def test_a_file_that_is_no_coco(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_coco(write(tmp_path, content))


def test_many_problems_are_shown_and_counted(tmp_path: Path) -> None:
    content = document()
    content["annotations"] = [{"id": n, "image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1]} for n in range(30)]
    with pytest.raises(InputError) as caught:
        read_coco(write(tmp_path, content))
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "… and 10 more problems of this kind"


@pytest.mark.parametrize(
    ("box", "flags"),
    [
        ((0, 0, 100, 50), ""),
        ((-1, 0, 10, 10), "clipped"),
        ((0, 45, 10, 6), "clipped"),
        ((100, 0, 5, 5), "outside"),
        ((-5, 0, 5, 5), "outside"),
        ((3, 3, 0.5, 9), "degenerate"),
        ((99.8, 3, 0.5, 9), "degenerate clipped"),
    ],
)
def test_box_flags(box: tuple[float, float, float, float], flags: str) -> None:
    assert box_flags(*box, 100, 50) == flags


side = st.floats(0.1, 300, allow_nan=False)


@given(st.floats(-300, 300), st.floats(-300, 300), side, side)
def test_flags_agree_with_the_area_inside(x: float, y: float, width: float, height: float) -> None:
    """Law: outside when nothing of the box is inside the image, clipped when some but not all of it is."""
    inside_x = max(0.0, min(x + width, 100) - max(x, 0))
    inside_y = max(0.0, min(y + height, 50) - max(y, 0))
    flags = box_flags(x, y, width, height, 100, 50).split()
    assert ("outside" in flags) == (inside_x == 0 or inside_y == 0)
    if "clipped" not in flags and "outside" not in flags:
        assert inside_x * inside_y == pytest.approx(width * height)
