"""Tables: strict reading, and writing that gives the same bytes every time."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathomflow.errors import InputError
from fathomflow.tables import read_table, write_table


def table(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text)
    return path


def test_every_bad_value_is_named_with_its_row(tmp_path: Path) -> None:
    path = table(tmp_path, "id,score,yes\n1,0.5,true\nx,high,maybe\n1,,false\n")
    with pytest.raises(InputError) as caught:
        read_table(path, {"id": int, "score": float, "yes": bool}, key="id")
    assert caught.value.problems == (
        f"{path}: row 3: id is 'x', not a whole number",
        f"{path}: row 3: score is 'high', not a number",
        f"{path}: row 3: yes is 'maybe', not true or false",
        f"{path}: row 4: id 1 stands twice",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a UTF-8 CSV"),
        ("a,b\n1,2\n", "no column 'id'; found 'a', 'b'"),
        ("id\n1,2\n3,4,5\n", "not a UTF-8 CSV"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(table(tmp_path, text), {"id": int})


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_table(tmp_path / "none.csv", {"id": int})


def test_names_like_NA_stay_names(tmp_path: Path) -> None:
    assert read_table(table(tmp_path, "id,label\n1,NA\n2,nan\n"), {"label": str})["label"].tolist() == ["NA", "nan"]


def test_written_form(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "t.csv"
    frame = pd.DataFrame({"id": [2, 1], "x": [1234567.0, 1 / 3], "ok": [True, False], "s": ["a,b", ""]})
    write_table(frame, path, key="id")
    assert path.read_bytes() == b'id,x,ok,s\n1,0.333333,false,\n2,1.23457e+06,true,"a,b"\n'
    write_table(frame, path, key=None, exact=True)
    assert path.read_text().splitlines()[1:] == ['2,1234567,true,"a,b"', "1,0.3333333333333333,false,"]
    assert [entry.name for entry in path.parent.iterdir()] == ["t.csv"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True))
def test_exact_floats_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    path = tmp_path_factory.mktemp("exact") / "t.csv"
    write_table(pd.DataFrame({"x": values}), path, key=None, exact=True)
    assert read_table(path, {"x": float})["x"].tolist() == values


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(KeyError):
        write_table(pd.DataFrame({"a": [1]}), path, key="b")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
