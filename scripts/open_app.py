"""Open the FiftyOne App on a study's dataset; jobs may bring the dataset up to date meanwhile."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from fathomflow.config import load_study
from fathomflow.curation.app import serve_app
from fathomflow.curation.database import keep_database
from fathomflow.curation.place import find_place
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--configuration", type=Path, required=True, help="configuration of the study (YAML)")
    result.add_argument("--port", type=int, default=5151, help="port of the App (default: %(default)s)")
    result.add_argument("--address", default="127.0.0.1", help="address to serve at (default: this machine only)")
    result.add_argument("--view", help="saved view to open with (default: potential label errors)")
    result.add_argument("--no-browser", action="store_true", help="do not open a browser here")
    return result


def main(arguments: argparse.Namespace) -> str:
    # The program is a person's, not a rule's: it may read the configuration.
    values = yaml.safe_load(arguments.configuration.read_text(encoding="utf-8"))
    study = load_study(values, str(arguments.configuration))
    folder = Path(study.paths.results, "fiftyone", "database")
    dataset = study.fiftyone.dataset if study.fiftyone else study.study
    with keep_database(find_place(folder, study.fiftyone.database_uri if study.fiftyone else None)):
        serve_app(
            dataset,
            view=arguments.view,
            address=arguments.address,
            port=arguments.port,
            browser=not arguments.no_browser,
        )
    return "the App was open"


if __name__ == "__main__":
    run(main, parser())
