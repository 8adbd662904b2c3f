"""Deep-sea scenes for the demo study: water, sediment, lamps and snow, with animals whose boxes are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from fathomflow.demo_animals import ANIMALS, Animal, draw_animal
from fathomflow.demo_drawing import Floats, smooth_noise

#: Frame sizes in pixels, as video formats of different years gave them.
SIZES = ((640, 360), (720, 405), (800, 450), (720, 486))
#: Water far from the lamps and sediment near them, as dives differ (RGB, 0 to 1).
WATERS = ((0.01, 0.10, 0.17), (0.02, 0.13, 0.15), (0.01, 0.06, 0.14), (0.02, 0.09, 0.10))
SEDIMENTS = ((0.50, 0.53, 0.47), (0.43, 0.47, 0.45), (0.56, 0.53, 0.44), (0.36, 0.42, 0.44))
#: Boxes of two animals may overlap by this share of the smaller one.
MOST_OVERLAP = 0.25


@dataclass(frozen=True)
class Drawn:
    """An animal in a scene: its category and its box (x, y, width, height), whole pixels from the top left."""

    category: str
    box: tuple[int, int, int, int]


def draw_scene(
    rng: np.random.Generator, categories: Sequence[str], dive: int, *, clip_first: bool = False
) -> tuple[Image.Image, list[Drawn]]:
    """Draw one frame.

    Parameters
    ----------
    rng
        Where every choice comes from.
    categories
        What to show; a category that lives in herds brings some more of its kind. One that finds no room is left out.
    dive
        Number of the dive: frames of a dive share frame size, water and sediment.
    clip_first
        Let the first animal stand partly outside the frame.

    Returns
    -------
    tuple
        The frame (RGB), and the animals in it from back to front.
    """
    width, height = SIZES[dive % len(SIZES)]
    water, sediment = np.array(WATERS[dive % len(WATERS)]), np.array(SEDIMENTS[(dive // 2) % len(SEDIMENTS)])
    horizon = rng.uniform(-0.1, 0.4)
    frame = Image.fromarray(_to_bytes(_background(rng, width, height, water, sediment, horizon)))
    placed: list[tuple[Drawn, Image.Image]] = []
    for category in categories:
        animal = ANIMALS[category]
        for _ in range(1 + int(rng.integers(0, animal.herd))):
            outside = clip_first and not placed
            found = _find_place(rng, animal, (width, height), horizon, [drawn.box for drawn, _ in placed], outside)
            if found is not None:
                sprite, box = found
                placed.append((Drawn(category, box), sprite))
    placed.sort(key=lambda item: item[0].box[1] + item[0].box[3])
    for drawn, sprite in placed:
        far = 1 - (drawn.box[1] + drawn.box[3]) / height
        _paste(frame, sprite, drawn.box, water, far, ANIMALS[drawn.category].place)
    return Image.fromarray(_to_bytes(_with_light(rng, np.asarray(frame) / 255.0))), [drawn for drawn, _ in placed]


def _find_place(
    rng: np.random.Generator,
    animal: Animal,
    size: tuple[int, int],
    horizon: float,
    taken: Sequence[tuple[int, int, int, int]],
    outside: bool,
) -> tuple[Image.Image, tuple[int, int, int, int]] | None:
    """Draw an animal and find a place for it that leaves the others visible; None when there is none."""
    width, height = size
    sprite = draw_animal(animal, rng)
    for _ in range(25):
        top = max(horizon + 0.12, 0.3)
        base = rng.uniform(0.3, 0.8) if animal.place == "swims" else rng.uniform(top, 0.97)
        nearness = 0.55 + 0.45 * (base - horizon) / (1 - horizon)
        longest = 1.2 * rng.uniform(*animal.size) * height * nearness
        scale = longest / max(sprite.size)
        # The camera looks down at an angle: what lies flat is foreshortened.
        squash = 0.74 if animal.place == "flat" else 1.0
        w, h = max(10, round(sprite.width * scale)), max(10, round(sprite.height * scale * squash))
        left = -round(0.3 * w) if outside else int(rng.integers(2, max(3, width - w - 2)))
        box = (left, round(base * height) - h, w, h)
        if box[1] >= 2 and all(_overlap(box, other) < MOST_OVERLAP for other in taken):
            return sprite.resize((w, h), Image.Resampling.LANCZOS), box
    return None


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0, across) * max(0, down) / min(one[2] * one[3], other[2] * other[3])


def _background(
    rng: np.random.Generator, width: int, height: int, water: Floats, sediment: Floats, horizon: float
) -> Floats:
    """Return water above and sediment below the horizon, shape (height, width, 3), 0 to 1."""
    y = np.linspace(0, 1, height)[:, None]
    edge = horizon + 0.03 * (smooth_noise(rng, width, 8, 5)[4] - 0.5)[None, :]
    depth = np.clip((y - edge) / (1 - horizon), 0, 1)
    haze = 0.55 + 0.75 * np.clip(y / max(horizon, 0.05), 0, 1)
    column = water[None, None, :] * haze[..., None] * np.ones((1, width, 1))
    # Ripples and grain grow towards the camera, as perspective has it.
    ripples = np.stack([smooth_noise(rng, width, height, cells, 4) for cells in (14, 6)])
    texture = ripples[0] * (1 - depth) + ripples[1] * depth
    grain = rng.normal(0, 1, (height, width)) * (0.012 + 0.02 * depth)
    ground = sediment[None, None, :] * (0.62 + 0.62 * (texture - 0.2))[..., None] + grain[..., None]
    for _ in range(int(rng.integers(12, 50))):
        _add_pebble(rng, ground, horizon)
    visible = np.clip(depth * 5, 0, 1) * (0.32 + 0.68 * np.clip(depth * 1.6, 0, 1))
    mixed: Floats = column * (1 - visible[..., None]) + ground * visible[..., None]
    return mixed


def _add_pebble(rng: np.random.Generator, ground: Floats, horizon: float) -> None:
    height, width = ground.shape[:2]
    base = rng.uniform(max(horizon, 0) + 0.05, 1)
    radius = rng.uniform(1, 5.5) * (0.3 + base)
    x, y = rng.uniform(0, width), base * height
    reach = int(2 * radius) + 2
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    patch = ground[top : int(y) + reach, left : int(x) + reach]
    rows, columns = np.ogrid[top : top + patch.shape[0], left : left + patch.shape[1]]
    inside = ((columns - x) / radius) ** 2 + ((rows - y) / (0.62 * radius)) ** 2
    body = np.clip(1.4 - inside, 0, 1)[..., None]
    shade = 0.55 + 0.35 * np.clip((y - rows) / radius + (x - columns) / (2 * radius), -1, 1)
    patch *= 1 - body
    patch += body * shade[..., None] * rng.uniform(0.35, 0.75) * np.array([0.9, 1.0, 0.98])


def _paste(
    frame: Image.Image, sprite: Image.Image, box: tuple[int, int, int, int], water: Floats, far: float, place: str
) -> None:
    """Put an animal into the frame: its shadow first, then itself, tinted by the water before it."""
    alpha = sprite.getchannel("A")
    if place != "swims":
        margin = 12
        soft = Image.new("L", (sprite.width + 2 * margin, sprite.height + 2 * margin))
        flat = alpha if place == "flat" else alpha.resize((sprite.width, max(4, round(0.2 * sprite.height))))
        drop = 4 if place == "flat" else sprite.height - round(0.7 * flat.height)
        soft.paste(flat, (margin + 5, margin + drop))
        soft = soft.filter(ImageFilter.GaussianBlur(4)).point(_shadow)
        frame.paste((4, 10, 14), (box[0] - margin, box[1] - margin), soft)
    tint = float(np.clip(0.12 + 0.5 * far, 0, 0.6))
    pixels = np.asarray(sprite, dtype=float)
    pixels[..., :3] = pixels[..., :3] * (1 - tint) + tint * 255 * (0.35 * water + 0.18)
    tinted = Image.fromarray(pixels.round().astype(np.uint8), "RGBA")
    if far > 0.45:
        tinted = tinted.filter(ImageFilter.GaussianBlur(0.7))
    frame.paste(tinted, box[:2], tinted.getchannel("A"))


def _shadow(alpha: int) -> int:
    return alpha * 5 // 9


def _with_light(rng: np.random.Generator, pixels: Floats) -> Floats:
    """Add the lamps' cone, marine snow and the camera's noise."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0 : 1 : height * 1j, -1 : 1 : width * 1j]
    cx, cy = rng.uniform(-0.25, 0.25), rng.uniform(0.5, 0.72)
    cone = np.exp(-(((x - cx) / 1.05) ** 2) - ((y - cy) / 0.66) ** 2)
    lamps = rng.uniform(0.3, 0.42) + rng.uniform(0.8, 1.05) * cone
    cast = np.array([rng.uniform(0.86, 1.0), 1.0, rng.uniform(0.96, 1.1)])
    result: Floats = pixels * lamps[..., None] * cast
    snow = np.zeros((height, width))
    count = int(rng.integers(40, 220))
    snow[rng.integers(0, height, count), rng.integers(0, width, count)] = rng.uniform(0.5, 3.5, count)
    flakes = Image.fromarray(_to_bytes(snow / 3.5)).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.6, 1.1))))
    result += 1.5 * (np.asarray(flakes) / 255.0)[..., None] * (0.35 + 0.65 * cone[..., None])
    result += rng.normal(0, 0.008, (height, width, 1))
    return result


def _to_bytes(pixels: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
