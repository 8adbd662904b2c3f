"""CSV tables that people open: read strictly, written the same way every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fathomflow.errors import InputError
from fathomflow.files import atomic_write

#: Problems shown for one file before the rest is only counted.
MOST_PROBLEMS = 20

Columns = Mapping[str, type]


def read_table(
    path: Path, columns: Columns, *, key: str | None = None, optional: Columns | None = None
) -> pd.DataFrame:
    """Read a UTF-8 CSV with a header and check what it holds.

    Parameters
    ----------
    path
        The file.
    columns
        Required columns and their types: int, float, str or bool (``true`` or ``false``). Floats may be empty (NaN).
    key
        A column whose values must be unique.
    optional
        Further columns that are kept where they are present. All other columns are dropped.

    Returns
    -------
    pandas.DataFrame
        The columns in the order asked for, rows in the order of the file.

    Raises
    ------
    InputError
        The file is missing, is no CSV, lacks a column, or holds a value of the wrong type or a key twice; every
        problem is named with its row (the header is row 1).
    """
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a UTF-8 CSV with a header ({str(error).strip()})") from None
    wanted = dict(columns) | {name: kind for name, kind in (optional or {}).items() if name in raw.columns}
    missing = [name for name in columns if name not in raw.columns]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(map(repr, missing))}; found {', '.join(map(repr, raw.columns)) or 'none'}"
        )
    problems: list[str] = []
    result = {}
    for name, kind in wanted.items():
        values = raw[name].str.strip() if kind is not str else raw[name]
        result[name] = _convert(path, name, values, kind, problems)
    if key is not None:
        twice = raw[key].duplicated()
        problems += [f"{path}: row {row + 2}: {key} {raw[key][row]} stands twice" for row in raw.index[twice]]
    raise_problems(problems)
    return pd.DataFrame(result, columns=list(wanted))


def _convert(path: Path, name: str, values: pd.Series, kind: type, problems: list[str]) -> pd.Series:
    if kind is str:
        return values
    if kind is bool:
        result = values.str.lower().map({"true": True, "false": False})
        bad = result.isna()
        wanted = "true or false"
        if not bad.any():
            return result.astype(bool)
    else:
        result = pd.to_numeric(values, errors="coerce")
        bad = result.isna() & (values.ne("") if kind is float else True)
        wanted = "a number"
        if kind is int:
            wanted = "a whole number"
            bad |= ~values.str.fullmatch(r"[+-]?\d{1,18}")
            if not bad.any():
                return values.astype("int64")
    problems += [f"{path}: row {row + 2}: {name} is {values[row]!r}, not {wanted}" for row in values.index[bad]]
    return result


def raise_problems(problems: Sequence[str]) -> None:
    """Raise one InputError with all problems, the first `MOST_PROBLEMS` in full; do nothing when there are none."""
    if len(problems) > MOST_PROBLEMS:
        problems = [*problems[:MOST_PROBLEMS], f"… and {len(problems) - MOST_PROBLEMS} more problems of this kind"]
    if problems:
        raise InputError(*problems)


def write_table(table: pd.DataFrame, path: Path, *, key: str | Sequence[str] | None, exact: bool = False) -> None:
    """Write a CSV atomically: sorted by `key`, LF, floats with 6 significant digits, booleans in lower case.

    `key` None keeps the order of the rows, for tables whose order is their message (a ranking).
    `exact` writes floats so that they read back as the same numbers, for coordinates that computations start from.
    """
    if key is not None:
        table = table.sort_values([key] if isinstance(key, str) else list(key), kind="stable")
    table = table.copy()
    for name in table.columns:
        if pd.api.types.is_bool_dtype(table[name].dtype):
            table[name] = table[name].map({True: "true", False: "false"})
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format=_shortest if exact else "%.6g")


def _shortest(value: object) -> str:
    return str(value).removesuffix(".0")
