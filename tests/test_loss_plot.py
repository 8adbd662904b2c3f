"""The picture of the losses: well-formed, complete, the same bytes for the same log."""

import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd

from fathomflow.loss_plot import HEIGHT, WIDTH, plot_losses

SVG = "{http://www.w3.org/2000/svg}"


def log(epochs: int, held_out: bool = True) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    watched = np.where(epoch % 2 == 0, 5 / epoch + 1, np.nan) if held_out else np.full(epochs, np.nan)
    return pd.DataFrame({"epoch": epoch, "loss": 6 / epoch, "category_loss": 3 / epoch, "held_out_loss": watched})


def curves(text: str) -> list[list[tuple[float, float]]]:
    lines = ET.fromstring(text).findall(f"{SVG}polyline")  # noqa: S314 - our own text
    return [[tuple(map(float, point.split(","))) for point in line.attrib["points"].split()] for line in lines]


def test_every_curve_has_its_points_inside_the_picture() -> None:
    drawn = curves(plot_losses(log(10), "Training: fold 0 <held out>"))
    assert [len(points) for points in drawn] == [10, 10, 5]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for points in drawn for x, y in points)
    falling = [y for _, y in drawn[0]]
    assert falling == sorted(falling), "a falling loss runs down the picture"


def test_a_curve_without_values_is_left_out() -> None:
    assert [len(points) for points in curves(plot_losses(log(3, held_out=False), "all"))] == [3, 3]


def test_one_epoch_and_none() -> None:
    assert [len(points) for points in curves(plot_losses(log(1), "one"))] == [1, 1]
    assert curves(plot_losses(log(0), "none")) == []


def test_same_log_same_bytes() -> None:
    assert plot_losses(log(7), "a") == plot_losses(log(7), "a")
