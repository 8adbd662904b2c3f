"""The demo study's animals: each category has a shape and colours that a person tells from the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fathomflow.demo_drawing import Colour, Floats, Pen, darker, lit, new_pen, ring, trimmed, vary

Draw = Callable[[Pen, np.random.Generator], None]


@dataclass(frozen=True)
class Animal:
    """How a category is drawn and where it is met.

    Attributes
    ----------
    draw
        Draws one individual.
    place
        ``flat`` lies on the bottom at any angle, ``upright`` stands on it, ``swims`` is seen from the side.
    size
        Length of its longer side as a share of the image's height, smallest and largest.
    herd
        How many are often seen together, at most.
    """

    draw: Draw
    place: str
    size: tuple[float, float]
    herd: int = 1


def draw_animal(animal: Animal, rng: np.random.Generator) -> Image.Image:
    """Draw one individual with light on it, cut to its outline."""
    pen = new_pen()
    animal.draw(pen, rng)
    image = lit(pen.image, rng)
    if animal.place == "flat":
        image = image.rotate(rng.uniform(0, 360), Image.Resampling.BICUBIC)
    elif rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return trimmed(image)


def _star(
    pen: Pen, rng: np.random.Generator, colour: Colour, *, arms: int, waist: float, sharpness: float, dots: bool
) -> None:
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    lengths = np.repeat(rng.uniform(0.86, 1.0, arms), 720 // arms + 1)[:720]
    radius = 0.92 * lengths * (waist + (1 - waist) * np.abs(np.cos(arms * angles / 2)) ** sharpness)
    # Smoothed around the circle, so that arms of different lengths join without a step.
    window = np.ones(15) / 15
    radius = np.convolve(np.concatenate([radius[-7:], radius, radius[:7]]), window, mode="valid")
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    pen.shape(outline, colour)
    pen.shape(outline * 0.72, darker(colour, 1.12))
    for angle in 2 * np.pi * np.arange(arms) / arms:
        pen.stroke([(0, 0), (0.7 * np.cos(angle), 0.7 * np.sin(angle))], 0.035, darker(colour, 0.8))
    if dots:
        for x, y in outline[::9] * 0.94:
            pen.disc(x, y, 0.035, 0.035, darker(colour, 1.3))
    pen.disc(0.05, -0.06, 0.04, 0.04, darker(colour, 1.4))


def _asteroidea(pen: Pen, rng: np.random.Generator) -> None:
    _star(pen, rng, vary(rng, (196, 168, 140)), arms=5, waist=0.16, sharpness=3.2, dots=False)


def _mediaster(pen: Pen, rng: np.random.Generator) -> None:
    _star(pen, rng, vary(rng, (214, 74, 38)), arms=5, waist=0.42, sharpness=1.7, dots=True)


def _rathbunaster(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (226, 112, 48))
    for angle in ring(rng, 15, 0.2):
        bend = rng.uniform(-0.25, 0.25)
        steps = np.linspace(0.15, rng.uniform(0.82, 0.96), 8)
        path = [(r * np.cos(angle + bend * r), r * np.sin(angle + bend * r)) for r in steps]
        for x, y in path[1:]:
            for side in (-1, 1):
                tip = angle + side * 1.3
                pen.stroke([(x, y), (x + 0.09 * np.cos(tip), y + 0.09 * np.sin(tip))], 0.018, darker(colour, 1.25))
        pen.stroke(path, 0.11, colour, 0.04)
    pen.disc(0, 0, 0.26, 0.26, darker(colour, 0.9))


def _urchin(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (222, 132, 134))
    for angle in ring(rng, 72, 0.5):
        start, end = rng.uniform(0.1, 0.5), rng.uniform(0.74, 0.95)
        pen.stroke(
            [(start * np.cos(angle), start * np.sin(angle)), (end * np.cos(angle), end * np.sin(angle))],
            0.035,
            darker(colour, rng.uniform(0.75, 1.1)),
            0.012,
        )
    pen.disc(0, 0, 0.6, 0.6, colour)
    for angle in ring(rng, 44, 0.5):
        start, end = rng.uniform(0.05, 0.35), rng.uniform(0.45, 0.72)
        pen.stroke(
            [(start * np.cos(angle), start * np.sin(angle)), (end * np.cos(angle), end * np.sin(angle))],
            0.03,
            darker(colour, rng.uniform(0.9, 1.25)),
            0.014,
        )


def _crab(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (206, 92, 50))
    for side in (-1, 1):
        for place, reach in zip((-0.16, 0.0, 0.14, 0.26), (0.80, 0.93, 0.9, 0.74), strict=True):
            knee = (side * (0.5 * reach + 0.1), place * 1.6 - 0.24 + rng.uniform(-0.05, 0.05))
            foot = (side * reach, place * 2.3 + 0.14 + rng.uniform(-0.05, 0.05))
            pen.stroke([(side * 0.2, place), knee], 0.09, colour, 0.07)
            pen.stroke([knee, foot], 0.065, darker(colour, 0.92), 0.02)
        elbow, claw = (side * 0.42, -0.42), (side * 0.2, -0.62 + rng.uniform(-0.05, 0.05))
        pen.stroke([(side * 0.16, -0.2), elbow, claw], 0.085, darker(colour, 1.1))
        pen.shape(
            [claw, (claw[0] - side * 0.2, claw[1] - 0.1), (claw[0] - side * 0.04, claw[1] + 0.1)], darker(colour, 1.2)
        )
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    width = 0.34 * (1 - 0.22 * np.sin(-angles).clip(0))
    pen.shape(np.stack([width * np.cos(angles), 0.34 * np.sin(angles) + 0.02], axis=1), colour)
    for _ in range(14):
        x, y = rng.uniform(-0.22, 0.22, 2)
        pen.disc(x, y, 0.018, 0.018, darker(colour, 1.35))
    for side in (-1, 1):
        pen.disc(side * 0.1, -0.31, 0.035, 0.035, (20, 16, 16))


def _fish_body(length: float, height: float, bend: float) -> Floats:
    steps = np.linspace(0, 1, 60)
    thickness = height * np.sin(np.pi * steps**0.72) ** 0.85 + 0.05 * (steps > 0.5)
    spine = bend * np.sin(np.pi * steps)
    x = -length + 1.62 * length * steps
    return np.concatenate(
        [np.stack([x, spine - thickness], axis=1), np.stack([x, spine + thickness * 0.92], axis=1)[::-1]]
    )


def _thornyhead(pen: Pen, rng: np.random.Generator) -> None:
    colour, bend = vary(rng, (214, 86, 66)), rng.uniform(-0.06, 0.06)
    for step in np.linspace(-0.45, 0.3, 11):
        top = -0.25 + 0.25 * abs(step + 0.1)
        pen.stroke([(step, top + 0.1), (step + 0.05, top - 0.17)], 0.03, darker(colour, 1.15), 0.012)
        pen.shape(
            [(step, top + 0.05), (step + 0.045, top - 0.14), (step + 0.085, top + 0.04)], darker(colour, 0.75), 210
        )
    pen.shape([(0.5, bend), (0.9, bend - 0.24), (0.84, bend), (0.9, bend + 0.24)], darker(colour, 0.85))
    pen.shape([(0.05, 0.1), (0.42, 0.4), (0.3, 0.1)], darker(colour, 0.8))
    body = _fish_body(0.92, 0.27, bend)
    pen.shape(body, colour)
    for place in (-0.15, 0.12, 0.38):
        pen.shape(
            [(place, -0.2), (place + 0.1, -0.2), (place + 0.06, 0.17), (place - 0.02, 0.17)], darker(colour, 0.72), 150
        )
    pen.shape([(-0.3, 0.05), (-0.02, 0.34), (0.06, 0.08)], darker(colour, 1.2))
    pen.disc(-0.6, -0.08, 0.09, 0.09, (236, 222, 176))
    pen.disc(-0.61, -0.08, 0.055, 0.055, (14, 18, 22))
    pen.stroke([(-0.9, 0.06), (-0.7, 0.1)], 0.018, darker(colour, 0.55))


def _dover_sole(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (138, 112, 84))
    steps = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    outer = np.stack([0.72 * np.cos(steps), 0.37 * np.sin(steps) * (1 - 0.12 * np.cos(steps))], axis=1)
    pen.shape(outer, darker(colour, 0.72))
    for x, y in outer[::2]:
        pen.stroke([(x * 0.86, y * 0.86), (x, y)], 0.012, darker(colour, 0.55))
    pen.shape([(0.62, 0), (0.94, -0.2), (0.9, 0.2)], darker(colour, 0.78))
    pen.shape(outer * [0.96, 0.74], colour)
    for _ in range(26):
        x, y = rng.uniform(-0.5, 0.5), rng.uniform(-0.19, 0.19)
        pen.disc(x, y, rng.uniform(0.015, 0.06), rng.uniform(0.015, 0.06), darker(colour, rng.choice([0.7, 0.82, 1.2])))
    for y in (-0.09, 0.03):
        pen.disc(-0.53, y, 0.045, 0.04, (222, 206, 160))
        pen.disc(-0.545, y, 0.024, 0.024, (16, 16, 16))
    pen.stroke([(-0.4, 0.0), (0.55, 0.0)], 0.012, darker(colour, 0.6))


def _sea_pig(pen: Pen, rng: np.random.Generator, colour: Colour, papillae: int, plump: float) -> None:
    for place in np.linspace(-0.5, 0.5, 6):
        foot = place + rng.uniform(-0.06, 0.06)
        pen.stroke([(place, 0.2), (foot, 0.4), (foot + 0.02, 0.55)], 0.13, darker(colour, 0.82), 0.07)
    for place in np.linspace(-0.35, 0.35, papillae):
        lean = rng.uniform(-0.12, 0.12)
        pen.stroke([(place, -0.2), (place + lean, -0.5), (place + 2 * lean, -0.78)], 0.075, darker(colour, 1.1), 0.03)
    steps = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    wobble = 1 + 0.035 * np.sin(7 * steps + rng.uniform(0, 6))
    pen.shape(np.stack([0.74 * np.cos(steps) * wobble, plump * np.sin(steps) * wobble], axis=1), colour)
    for angle in np.linspace(0.6, 2.6, 7):
        x, y = -0.66 + 0.1 * np.cos(angle + 1.5), 0.1 + 0.13 * np.sin(angle + 1.5)
        pen.disc(x, y, 0.06, 0.045, darker(colour, 0.78))


def _scotoplanes_globosa(pen: Pen, rng: np.random.Generator) -> None:
    _sea_pig(pen, rng, vary(rng, (232, 172, 176), 10), papillae=4, plump=0.38)


def _scotoplanes(pen: Pen, rng: np.random.Generator) -> None:
    _sea_pig(pen, rng, vary(rng, (216, 206, 214), 10), papillae=2, plump=0.3)


def _pannychia(pen: Pen, rng: np.random.Generator) -> None:
    colour, bend = vary(rng, (150, 62, 96)), rng.uniform(-0.2, 0.2)
    steps = np.linspace(-0.78, 0.78, 40)
    path = np.stack([steps, bend * np.sin(np.pi * (steps + 0.78) / 1.56)], axis=1)
    for x, y in path[2:-2:2]:
        for side in (-1, 1):
            reach = rng.uniform(0.2, 0.27)
            pen.stroke([(x, y), (x + 0.03, y + side * reach)], 0.06, darker(colour, 1.2), 0.025)
    pen.stroke(path, 0.34, colour)
    for x, y in path[3:-3:3]:
        for offset in (-0.06, 0.06):
            pen.stroke([(x, y + offset), (x - 0.02, y + offset * 2.1)], 0.03, darker(colour, 1.55), 0.015)


def _octopus(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (168, 62, 40))
    for angle in np.linspace(-0.15, np.pi + 0.15, 8):
        curl = rng.uniform(1.0, 2.2) * (1 if angle < np.pi / 2 else -1)
        steps = np.linspace(0, 1, 16)
        turn = angle + curl * steps**1.6
        path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1) * rng.uniform(0.05, 0.062), axis=0)
        path[:, 1] += 0.12
        pen.stroke(path, 0.15, darker(colour, rng.uniform(0.82, 1.05)), 0.025)
        for x, y in path[3:12:2]:
            pen.disc(x, y + 0.02, 0.016, 0.016, (232, 186, 160))
    pen.disc(0, -0.42, 0.33, 0.42, colour)
    pen.disc(0, 0.06, 0.25, 0.22, darker(colour, 0.95))
    for _ in range(24):
        x, y = rng.uniform(-0.24, 0.24), rng.uniform(-0.75, 0.05)
        pen.disc(x, y, 0.025, 0.025, darker(colour, rng.choice([0.8, 1.3])))
    for side in (-1, 1):
        pen.disc(side * 0.17, 0.02, 0.075, 0.06, (238, 214, 160))
        pen.disc(side * 0.17, 0.02, 0.05, 0.02, (10, 10, 10))


def _pom_pom(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (236, 150, 158), 12)
    for radius, count in ((0.92, 54), (0.74, 46), (0.55, 34), (0.34, 22)):
        for angle in ring(rng, count, 0.6):
            start, end = radius * 0.55, radius * rng.uniform(0.88, 1.03)
            shade = darker(colour, rng.uniform(0.72, 1.02) * (1.3 - 0.32 * radius))
            pen.stroke(
                [(start * np.cos(angle), start * np.sin(angle)), (end * np.cos(angle), end * np.sin(angle))],
                0.085,
                shade,
                0.05,
            )
    pen.disc(0, 0, 0.15, 0.13, darker(colour, 0.55))


def _umbellula(pen: Pen, rng: np.random.Generator) -> None:
    lean = rng.uniform(-0.14, 0.14)
    steps = np.linspace(0, 1, 24)
    stalk = np.stack([lean * np.sin(2.2 * steps), 0.96 - 1.5 * steps], axis=1)
    pen.stroke(stalk, 0.035, (214, 200, 178), 0.022)
    x, y = stalk[-1]
    colour = vary(rng, (198, 92, 88))
    for angle in ring(rng, 11, 0.3):
        tip = (x + 0.3 * np.cos(angle), y + 0.27 * np.sin(angle) - 0.03)
        pen.stroke([(x, y), tip], 0.075, colour, 0.1)
        for spread in np.linspace(-0.9, 0.9, 5):
            end = (tip[0] + 0.11 * np.cos(angle + spread), tip[1] + 0.11 * np.sin(angle + spread))
            pen.stroke([tip, end], 0.026, darker(colour, 1.3), 0.012)
    pen.disc(x, y, 0.09, 0.09, darker(colour, 0.8))


def _sea_feather(pen: Pen, rng: np.random.Generator) -> None:
    colour, lean = vary(rng, (226, 96, 60)), rng.uniform(-0.15, 0.15)
    steps = np.linspace(0, 1, 30)
    axis = np.stack([lean * np.sin(1.8 * steps), 0.95 - 1.85 * steps], axis=1)
    for place in range(9, 29):
        x, y = axis[place]
        reach = 0.36 * np.sin(np.pi * (place - 7) / 24) + 0.05
        for side in (-1, 1):
            leaf = [(x, y + 0.03), (x + side * reach, y - 0.16), (x + side * reach * 0.9, y - 0.09), (x, y + 0.1)]
            pen.shape(leaf, darker(colour, 1.0 + 0.12 * side + rng.uniform(-0.08, 0.08)))
    pen.stroke(axis, 0.075, darker(colour, 1.18), 0.03)


def _goblet_sponge(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (226, 214, 164), 12)
    for x, y, width, height in ((-0.42, 0.2, 0.3, 0.62), (0.4, 0.28, 0.28, 0.5), (0.0, 0.0, 0.44, 0.9)):
        top, lean = y - height * 0.75, rng.uniform(-0.06, 0.06)
        steps = np.linspace(0, 1, 24)
        half = width * (0.32 + 0.68 * steps**0.8) * (1 + 0.05 * np.sin(9 * steps + rng.uniform(0, 6)))
        heights = 0.94 + (top - 0.94) * steps
        middle = x * (0.35 + 0.65 * steps) + lean * steps
        left, right = np.stack([middle - half, heights], axis=1), np.stack([middle + half, heights], axis=1)
        pen.shape(np.concatenate([left, right[::-1]]), darker(colour, rng.uniform(0.88, 1.0)))
        for share in np.linspace(-0.8, 0.8, 7):
            pen.stroke(np.stack([middle + share * half, heights], axis=1), 0.012, darker(colour, 0.78))
        pen.disc(middle[-1], top, half[-1], half[-1] * 0.42, darker(colour, 1.08))
        pen.disc(middle[-1], top + 0.015, half[-1] * 0.8, half[-1] * 0.3, darker(colour, 0.36))


def _bubblegum_coral(pen: Pen, rng: np.random.Generator) -> None:
    colour = vary(rng, (224, 88, 108))

    def branch(x: float, y: float, angle: float, length: float, width: float, order: int) -> None:
        steps = np.linspace(0, 1, 6)
        turn = angle + rng.uniform(-0.35, 0.35) * steps
        path = np.stack([x + length * steps * np.cos(turn), y - length * steps * np.sin(turn)], axis=1)
        pen.stroke(path, width, darker(colour, 0.8 + 0.08 * order), width * 0.75)
        for px, py in path[1:]:
            pen.disc(
                px + rng.uniform(-0.03, 0.03), py, width * 0.55, width * 0.5, darker(colour, rng.uniform(0.95, 1.2))
            )
        if order < 4:
            spread = rng.uniform(0.3, 0.5)
            for side in (-spread, spread, *([0.05] if order < 2 else [])):
                branch(path[-1, 0], path[-1, 1], angle + side, length * rng.uniform(0.66, 0.8), width * 0.72, order + 1)

    branch(0.0, 0.95, np.pi / 2 + rng.uniform(-0.1, 0.1), 0.5, 0.15, 0)


#: The categories of the demo study, under names that the lineages of FathomNet 2025 know.
ANIMALS: dict[str, Animal] = {
    "Asteroidea": Animal(_asteroidea, "flat", (0.12, 0.24)),
    "Chionoecetes tanneri": Animal(_crab, "flat", (0.18, 0.34)),
    "Heterochone calyx": Animal(_goblet_sponge, "upright", (0.28, 0.5)),
    "Liponema brevicorne": Animal(_pom_pom, "flat", (0.12, 0.24)),
    "Mediaster aequalis": Animal(_mediaster, "flat", (0.1, 0.2)),
    "Microstomus pacificus": Animal(_dover_sole, "flat", (0.2, 0.34)),
    "Octopus rubescens": Animal(_octopus, "upright", (0.2, 0.36)),
    "Pannychia moseleyi": Animal(_pannychia, "flat", (0.16, 0.3)),
    "Paragorgia arborea": Animal(_bubblegum_coral, "upright", (0.36, 0.62)),
    "Pennatula phosphorea": Animal(_sea_feather, "upright", (0.2, 0.36)),
    "Rathbunaster californicus": Animal(_rathbunaster, "flat", (0.16, 0.3)),
    "Scotoplanes": Animal(_scotoplanes, "upright", (0.1, 0.16), herd=3),
    "Scotoplanes globosa": Animal(_scotoplanes_globosa, "upright", (0.1, 0.18), herd=6),
    "Sebastolobus": Animal(_thornyhead, "swims", (0.22, 0.4)),
    "Strongylocentrotus fragilis": Animal(_urchin, "flat", (0.08, 0.16), herd=8),
    "Umbellula": Animal(_umbellula, "upright", (0.4, 0.66)),
}
