"""The losses of a training as a picture: SVG of a few hundred bytes per curve, the same bytes for the same log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import pandas as pd

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 40, 44
#: Curves of the log: column, what the legend says, colour (Okabe and Ito: distinct to colour-blind people), dashes.
CURVES = (
    ("loss", "loss on the boxes learnt from", "#0072b2", ""),
    ("category_loss", "of it, the category's", "#56b4e9", "2 3"),
    ("held_out_loss", "loss on the held-out boxes", "#d55e00", "7 4"),
)


def plot_losses(log: pd.DataFrame, title: str) -> str:
    """Draw the losses over the epochs.

    Parameters
    ----------
    log
        epoch, and the columns named in `CURVES`; empty values are left out.
    title
        What stands above.

    Returns
    -------
    str
        SVG.
    """
    curves = [
        (log.loc[log[column].notna(), ["epoch", column]].to_numpy(dtype=float), text, colour, dashes)
        for column, text, colour, dashes in CURVES
    ]
    curves = [curve for curve in curves if len(curve[0])]
    last = max(1.0, float(log["epoch"].max())) if len(log) else 1.0
    top = max((float(points[:, 1].max()) for points, *_ in curves), default=1.0) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="16" font-weight="bold">{escape(title)}</text>',
    ]
    for value in _ticks(top):
        y = _place_y(value, top)
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end" dominant-baseline="middle">{value:g}</text>')
    for value in _ticks(last):
        if value == int(value):
            x = _place_x(value, last)
            parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 8}" text-anchor="middle">epoch</text>')
    for number, (points, text, colour, dashes) in enumerate(curves):
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes or "none"}"'
        path = " ".join(f"{_place_x(epoch, last)},{_place_y(value, top)}" for epoch, value in points)
        parts.append(f'<polyline points="{path}" {style}/>')
        x = LEFT + 190 * number
        parts.append(f'<line x1="{x}" y1="29" x2="{x + 22}" y2="29" {style}/>')
        parts.append(f'<text x="{x + 28}" y="33">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _ticks(end: float) -> Sequence[float]:
    """Return about five round numbers from 0 to `end`."""
    unit = 10 ** math.floor(math.log10(end / 4))
    step = next(unit * factor for factor in (1, 2, 5, 10) if end / (unit * factor) <= 6)
    return [round(step * number, 10) for number in range(int(end / step + 1e-9) + 1)]


def _place_x(epoch: float, last: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * epoch / last, 1)


def _place_y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / (1.05 * top), 1)
