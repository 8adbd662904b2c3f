"""Boxes are cut into chunks that depend on nothing but the boxes, and dealt evenly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathomflow.chunks import (
    CHUNKS,
    FEWEST_BOXES,
    MOST_BOXES,
    ImageRegions,
    cut_chunks,
    deal_chunks,
    read_regions,
    shard_chunks,
)
from fathomflow.errors import InputError


def images_with(counts: list[int]) -> list[ImageRegions]:
    images = []
    for number, count in enumerate(counts):
        ids = tuple(1000 * number + index for index in range(count))
        images.append(ImageRegions(number, f"{number}.png", (100, 80), ids, ((1.0, 2.0, 3.0, 4.0),) * count))
    return images


counts = st.lists(st.integers(1, 40), min_size=1, max_size=80)


@given(counts, st.integers(1, 40))
def test_every_image_is_in_one_shard_whole(counts: list[int], shards: int) -> None:
    images = images_with(counts)
    dealt = [
        image for shard in range(shards) for chunk in shard_chunks(images, shard, shards) for image in chunk.images
    ]
    assert sorted(dealt, key=lambda image: image.image_id) == images


@given(counts, st.integers(1, 40))
def test_chunks_do_not_depend_on_the_shards(counts: list[int], shards: int) -> None:
    images = images_with(counts)
    whole = shard_chunks(images, 0, 1)
    assert whole == cut_chunks(images)
    dealt = [chunk for shard in range(shards) for chunk in shard_chunks(images, shard, shards)]
    assert sorted(dealt, key=lambda chunk: chunk.images[0].image_id) == whole


@given(counts, st.integers(1, 40))
def test_shards_are_balanced(counts: list[int], shards: int) -> None:
    """Dealing the dearest first leaves no two shards further apart than the dearest chunk."""
    chunks = cut_chunks(images_with(counts))
    loads = [sum(chunks[index].cost for index in hand) for hand in deal_chunks(chunks, shards)]
    assert max(loads) - min(loads) <= max(chunk.cost for chunk in chunks)


@given(counts)
def test_chunks_are_about_equal(counts: list[int]) -> None:
    images = images_with(counts)
    chunks = cut_chunks(images)
    target = min(max(-(-sum(counts) // CHUNKS), FEWEST_BOXES), MOST_BOXES)
    assert all(chunk.boxes < target + max(counts) for chunk in chunks)
    assert [image for chunk in chunks for image in chunk.images] == images


def test_costs() -> None:
    image = images_with([3])[0]
    assert image.cost == 10
    assert cut_chunks([image])[0].cost == 10


def test_real_sizes() -> None:
    """FathomNet 2025: 788 test boxes on 325 images, 23,699 training boxes."""
    test = cut_chunks(images_with([2] * 262 + [4] * 63 + [12]))
    assert 50 <= len(test) <= 70
    train = cut_chunks(images_with([3] * 7900))
    assert {chunk.boxes for chunk in train[:-1]} == {129}


def test_an_image_with_many_boxes_stands_alone() -> None:
    chunks = cut_chunks(images_with([1, 1, 300, 1]))
    assert [chunk.boxes for chunk in chunks] == [2, 300, 1]


def test_no_such_shard() -> None:
    with pytest.raises(InputError, match="numbered from 0 to 1"):
        shard_chunks(images_with([1]), 2, 2)


HEADER = "annotation_id,image_id,file_name,x,y,width,height,image_width,image_height\n"


def test_regions_are_grouped_and_sorted(tmp_path: Path) -> None:
    path = tmp_path / "regions.csv"
    path.write_text(HEADER + "9,2,b.png,0,0,5,5,40,30\n3,1,a.png,1,2,3,4.5,20,10\n7,2,b.png,1,1,2,2,40,30\n")
    first, second = read_regions(path)
    assert first == ImageRegions(1, "a.png", (20, 10), (3,), ((1.0, 2.0, 3.0, 4.5),))
    assert (second.annotation_ids, second.boxes) == ((7, 9), ((1.0, 1.0, 2.0, 2.0), (0.0, 0.0, 5.0, 5.0)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,1,a.png,nan,0,5,5,40,30\n", "box 1: its coordinates are not all finite|x is 'nan'"),
        ("1,1,a.png,,0,5,5,40,30\n", "box 1: its coordinates are not all finite numbers"),
        ("1,1,a.png,0,0,inf,5,40,30\n", "box 1: its coordinates are not all finite numbers"),
        ("1,1,a.png,0,0,5,5,40,30\n2,1,b.png,0,0,5,5,40,30\n", "image 1 stands under several file names or sizes"),
        ("1,1,../a.png,0,0,5,5,40,30\n", "leads out of its folder"),
        ("1,1,a.png,0,0,5,5,40,30\n1,2,b.png,0,0,5,5,40,30\n", "annotation_id 1 stands twice"),
    ],
)
def test_bad_regions(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "regions.csv"
    path.write_text(HEADER + rows)
    with pytest.raises(InputError, match=message):
        read_regions(path)
