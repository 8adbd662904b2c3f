# Functions of the evaluation stage.


def probability_files(wildcards):
    """Return the probabilities of a model with the description that names their classes, or nothing."""
    if wildcards.model in PREDICTED_MODELS:
        return []
    return [
        f"{RESULTS}/predictions/{wildcards.split}/{wildcards.model}.parquet",
        model_description(wildcards),
    ]


def probability_options(wildcards):
    """Return the options that name a model's probabilities, or nothing."""
    return " ".join(
        map(
            " ".join,
            zip(["--vectors", "--model"], map(quote, probability_files(wildcards))),
        )
    )


def evaluation_tables(wildcards):
    """Return what the evaluation of a model on a split wrote, or nothing where the split has no labels."""
    if wildcards.split not in LABELLED_SPLITS:
        return []
    folder = f"{RESULTS}/evaluation/{wildcards.split}/{wildcards.model}"
    tables = ("per_category", "confusion", "disagreements", "slices", "suspicions")
    return [f"{folder}/metrics.json", *(f"{folder}/{table}.csv" for table in tables)]


def seen_in_training(wildcards):
    """Return whether a model saw the labels of a split in training: yes, no or unknown."""
    if wildcards.model in TRAINED_MODELS:
        return "no"
    splits = CONFIG.models[wildcards.model].trained_on
    if splits is None:
        return "unknown"
    return "yes" if wildcards.split in splits else "no"


def audit_of(wildcards):
    """Return the audit of a split's corrections, or nothing where it has no labels."""
    if wildcards.split not in LABELLED_SPLITS:
        return []
    return f"{RESULTS}/labels/{wildcards.split}.audit.csv"


def manifest_of(wildcards):
    """Return the image manifest of a split, or nothing where evaluation and reports do without images."""
    if not CONFIG.evaluation.reviewed:
        return []
    return f"{RESULTS}/images/{wildcards.split}.csv"


def manifest_option(wildcards):
    """Return the option that names the image manifest, or nothing."""
    manifest = manifest_of(wildcards)
    return f"--manifest {quote(manifest)}" if manifest else ""


def picture_files(wildcards):
    """Return the small pictures of a split, or nothing where reports show none."""
    if not CONFIG.evaluation.reviewed:
        return []
    folder = f"{RESULTS}/evaluation/{wildcards.split}"
    return [f"{folder}/crops.parquet", f"{folder}/frames.parquet"]


def join_options(options):
    """Write (name, path) pairs as options of a command line."""
    return " ".join(f"{name} {quote(str(path))}" for name, path in options)


def report_options(wildcards):
    """Return the options that name what a report has beside predictions: labels and evaluation, pictures."""
    options = list(zip(["--crops", "--frames"], picture_files(wildcards)))
    if CONFIG.evaluation.reviewed:
        options.append(("--manifest", manifest_of(wildcards)))
    if wildcards.split in LABELLED_SPLITS:
        folder = f"{RESULTS}/evaluation/{wildcards.split}/{wildcards.model}"
        options += [
            ("--labels", labels_of(wildcards)),
            ("--audit", audit_of(wildcards)),
            ("--evaluation", folder),
        ]
    return join_options(options)


def models_of(wildcards):
    """List the models that predict a split."""
    return CONFIG.predict.get(wildcards.split, [])


def predictions_of(wildcards):
    """List the predictions of all models for a split."""
    folder = f"{RESULTS}/predictions/{wildcards.split}"
    return [f"{folder}/{model}.csv" for model in models_of(wildcards)]


def probabilities_of(wildcards):
    """List the probabilities of those models of a split that give them, with the models' descriptions."""
    pairs = [SimpleNamespace(split=wildcards.split, model=model) for model in models_of(wildcards)]
    return [path for pair in pairs for path in probability_files(pair)]


def comparison_options(wildcards):
    """Return the options that name what a comparison has beside predictions: labels, probabilities, pictures."""
    options = list(zip(["--crops", "--frames"], picture_files(wildcards)))
    if wildcards.split in LABELLED_SPLITS:
        options.append(("--labels", labels_of(wildcards)))
    vectors = probabilities_of(wildcards)
    models = [model for model in models_of(wildcards) if model not in PREDICTED_MODELS]
    named = [
        f"--probabilities {quote(model)} {quote(parquet)} {quote(description)}"
        for model, parquet, description in zip(models, vectors[::2], vectors[1::2])
    ]
    return " ".join([join_options(options), *named])
