"""Add a model's predictions to a study's FiftyOne dataset, or replace those it has; several jobs may do so at once."""

from __future__ import annotations

import argparse

from fathomflow.curation.arguments import add_database, add_predictions, judged_of, place_of
from fathomflow.curation.database import open_database
from fathomflow.curation.fields import sample_of_box
from fathomflow.curation.names import fields_of
from fathomflow.curation.state import load_dataset, models_of
from fathomflow.curation.updating import update_model
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--dataset", required=True, help="name of the dataset")
    add_database(result)
    add_predictions(result)
    return result


def main(arguments: argparse.Namespace) -> str:
    judged = judged_of(arguments)
    with open_database(place_of(arguments), wait_s=arguments.wait):
        dataset = load_dataset(arguments.dataset)
        fields_of({**models_of(dataset), **dict.fromkeys(judged, "")})
        samples = sample_of_box(dataset)
        for model, splits in judged.items():
            update_model(dataset, model, splits, samples, guest=True)
    return f"predictions of {', '.join(judged)} are in dataset {arguments.dataset!r}"


if __name__ == "__main__":
    run(main, parser())
