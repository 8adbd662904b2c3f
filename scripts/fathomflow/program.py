"""What every command-line program shares: messages for people, exit statuses, progress."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from tqdm import tqdm

from fathomflow.errors import InputError

#: Seconds between two progress lines where no terminal is attached.
LINE_EVERY_S = 30.0


def run(
    main: Callable[[argparse.Namespace], str | None], parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> None:
    """Parse the arguments, run `main` and leave with 0, or with 2 and one line per problem after an InputError.

    A text that `main` returns says what was done; it opens the last line.
    """
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    started = time.monotonic()
    try:
        summary = main(arguments)
    except InputError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    logging.info("%s in %.1f s", summary or "done", time.monotonic() - started)


class _Lines:
    """A text stream on which tqdm's redrawn bar becomes one line each time."""

    def write(self, text: str) -> None:
        text = text.strip("\r\n ")
        if text:
            print(text, file=sys.stderr, flush=True)

    def flush(self) -> None:
        sys.stderr.flush()


def progress(*, total: int, description: str, unit: str, initial: int = 0, scale: bool = False) -> tqdm[Any]:
    """Return a tqdm bar: redrawn on a terminal, elsewhere a line every 30 s and a last one.

    `scale` writes large counts short (12.3M), for bytes.
    """
    if sys.stderr.isatty():
        return tqdm(
            total=total,
            desc=description,
            unit=unit,
            initial=initial,
            unit_scale=scale,
            dynamic_ncols=True,
            smoothing=0.1,
        )
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        initial=initial,
        unit_scale=scale,
        file=_Lines(),
        mininterval=LINE_EVERY_S,
        maxinterval=LINE_EVERY_S,
        bar_format="{desc}: {n_fmt}/{total_fmt} {unit} ({percentage:.0f} %), {rate_fmt}, {remaining} left{postfix}",
    )
