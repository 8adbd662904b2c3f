"""Views differ from crops as far as they may and no farther, alike for all crops of a box."""

import torch

from fathomflow.augmentation import Augmentation, augment

STILL = Augmentation(flip=0, rotation=0, scale=0, shift=0, colour=0)


def crops(boxes: int = 3, views: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (boxes, views, 8, 8, 3), generator=generator, dtype=torch.uint8)


def views(pixels: torch.Tensor, settings: Augmentation, seed: int = 1) -> torch.Tensor:
    return augment(pixels, torch.Generator().manual_seed(seed), settings)


def test_nothing_allowed_changes_nothing() -> None:
    assert torch.equal(views(crops(), STILL), crops())


def test_a_certain_flip_mirrors_columns() -> None:
    assert torch.equal(views(crops(), Augmentation(1, 0, 0, 0, 0)), crops().flip(3))


def test_flips_are_drawn_per_box_and_shared_by_its_crops() -> None:
    pixels = crops(boxes=64)
    flipped = (views(pixels, Augmentation(0.5, 0, 0, 0, 0)) == pixels.flip(3)).flatten(2).all(dim=2)
    assert torch.equal(flipped[:, 0], flipped[:, 1])
    assert 16 < int(flipped[:, 0].sum()) < 48


def test_a_shift_moves_by_its_share_of_the_side() -> None:
    # Half a side at most: with eight pixels, up to four; the middle of a ramp moves by as many steps.
    ramp = (torch.arange(8) * 30).to(torch.uint8)[None, None, None, :, None].expand(200, 1, 8, 8, 3)
    moved = views(ramp, Augmentation(0, 0, 0, 0.25, 0))[:, 0, 4, 3:5, 0].float().mean(dim=1) - 105
    assert 45 < float(moved.abs().max()) <= 60.5
    assert float(moved.mean().abs()) < 8


def test_colours_stay_within_their_share() -> None:
    grey = torch.full((100, 1, 4, 4, 3), 100, dtype=torch.uint8)
    changed = views(grey, Augmentation(0, 0, 0, 0, 0.1)).float()
    assert 80 <= float(changed.min()) <= 90
    assert 110 <= float(changed.max()) <= 121.5
    assert changed.flatten(1, 3).std(dim=1).max() == 0, "a box has one colour change"


def test_the_generator_decides() -> None:
    wild = Augmentation()
    assert torch.equal(views(crops(), wild, 3), views(crops(), wild, 3))
    assert not torch.equal(views(crops(), wild, 3), views(crops(), wild, 4))
