# Functions of the fiftyone stage.


def fiftyone_dataset():
    """Return the name of the study's FiftyOne dataset."""
    return CONFIG.fiftyone.dataset if CONFIG.fiftyone else CONFIG.study


def database_options():
    """Return the option that names a database server, or nothing where the database is embedded in the results."""
    uri = CONFIG.fiftyone.database_uri if CONFIG.fiftyone else None
    return f"--database-uri {quote(uri)}" if uri else ""


def database_slots():
    """Return how many of the slots for jobs on a database a job takes: a server has room for any number."""
    return 0 if database_options() else 1


def dataset_tables():
    """List the tables that a dataset is made of, labels and predictions apart."""
    return [
        f"{RESULTS}/{name}"
        for split in CONFIG.splits
        for name in (f"annotations/{split}.regions.csv", f"images/{split}.csv")
    ]


def dataset_predictions():
    """List the predictions of all models, with probabilities and descriptions where they have them."""
    tables = []
    for split, model in evaluated_pairs():
        tables.append(f"{RESULTS}/predictions/{split}/{model}.csv")
        tables += probability_files(SimpleNamespace(split=split, model=model))
    return list(dict.fromkeys(tables))


def dataset_evaluations():
    """List what the evaluation stage wrote about the predictions."""
    return [
        f"{RESULTS}/evaluation/{split}/{model}/{name}"
        for split, model in evaluated_pairs()
        if split in LABELLED_SPLITS
        for name in ("metrics.json", "confusion.csv", "disagreements.csv", "suspicions.csv")
    ]


def dataset_options():
    """Return the options that name the tables of a dataset."""
    folders = {split: image_folder(SimpleNamespace(split=split)) for split in CONFIG.splits}
    vectors, descriptions = [], []
    for split, model in evaluated_pairs():
        files = probability_files(SimpleNamespace(split=split, model=model))
        if files:
            vectors.append(f"{split}/{model}={files[0]}")
            descriptions.append(f"{split}/{model}={files[1]}")
    options = {
        "regions": [f"{split}={RESULTS}/annotations/{split}.regions.csv" for split in CONFIG.splits],
        "manifests": [f"{split}={RESULTS}/images/{split}.csv" for split in CONFIG.splits],
        "images": [f"{split}={folder}" for split, folder in folders.items()],
        "labels": [f"{split}={RESULTS}/labels/{split}.csv" for split in LABELLED_SPLITS],
        "predictions": [f"{s}/{model}={RESULTS}/predictions/{s}/{model}.csv" for s, model in evaluated_pairs()],
        "vectors": vectors,
        "descriptions": descriptions,
        "evaluations": [
            f"{s}/{model}={RESULTS}/evaluation/{s}/{model}" for s, model in evaluated_pairs() if s in LABELLED_SPLITS
        ],
    }
    return " ".join(f"--{name} {' '.join(map(quote, values))}" for name, values in options.items() if values)


def all_corrections():
    """List the corrections files of all splits, each split's in the order in which they apply."""
    return [path for split in CONFIG.splits for path in CONFIG.splits[split].corrections]


def all_corrections_options():
    """Return the option that names the corrections of all splits, or nothing."""
    files = [f"{split}={path}" for split in CONFIG.splits for path in CONFIG.splits[split].corrections]
    return f"--corrections {' '.join(map(quote, files))}" if files else ""


def exported_corrections():
    """List what people's decisions in FiftyOne are written to."""
    kinds = ("csv", "verdicts.csv", "conflicts.csv")
    return [f"{RESULTS}/fiftyone/corrections/{split}.{kind}" for split in CONFIG.splits for kind in kinds]
