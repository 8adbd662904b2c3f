# What the named targets ask for.


def evaluated_pairs():
    """List (split, model) of everything that is predicted, as the configuration's predict section has it."""
    return [(split, model) for split, models in CONFIG.predict.items() for model in models]


def splits_with_images():
    """List the splits whose images something needs: predictions by a checkpoint, or pictures in a report."""
    return [
        split
        for split, models in CONFIG.predict.items()
        if any(model not in PREDICTED_MODELS for model in models) or (models and CONFIG.evaluation.reviewed)
    ]


def image_manifests():
    """List the image manifests; the target `images` fetches every split, also one that nothing needs yet."""
    return [f"{RESULTS}/images/{split}.csv" for split in CONFIG.splits]


def model_descriptions():
    """List the descriptions of the models that come from checkpoints."""
    return [f"{RESULTS}/models/{model}/model.json" for model in CHECKPOINT_MODELS]


def trained_models():
    """List what the trainings that predictions need make: weights as safe as any, and the losses."""
    folders = [
        f"{RESULTS}/training/{model}/{fold}"
        for split, model in evaluated_pairs()
        if model in TRAINED_MODELS
        for training in [CONFIG.models[model].training]
        for fold in (range(training.folds) if training.split == split else ["all"])
    ]
    return [f"{folder}/{name}" for folder in dict.fromkeys(folders) for name in ("model.json", "log.csv", "loss.svg")]


def category_tables():
    """List everything the categories stage makes."""
    return [
        f"{RESULTS}/categories/lineages.csv",
        f"{RESULTS}/categories/distances.csv",
        *category_maps(),
    ]


def prediction_tables():
    """List the prediction tables and the files for submission."""
    return [
        f"{RESULTS}/predictions/{split}/{model}.{kind}"
        for split, model in evaluated_pairs()
        for kind in ("csv", "submission.csv")
    ]


def label_tables():
    """List the labels tables of the splits that have labels."""
    return [f"{RESULTS}/labels/{split}.csv" for split in LABELLED_SPLITS]


def metrics_files():
    """List the figures of every model on every split that has labels."""
    return [
        f"{RESULTS}/evaluation/{split}/{model}/metrics.json"
        for split, model in evaluated_pairs()
        if split in LABELLED_SPLITS
    ]


def reports():
    """List the reports: one per model and split, and one per split that puts several models beside each other."""
    pages = [f"{RESULTS}/evaluation/{split}/{model}/report.html" for split, model in evaluated_pairs()]
    compared = [split for split, models in CONFIG.predict.items() if len(models) > 1]
    return pages + [f"{RESULTS}/evaluation/{split}/comparison.html" for split in compared]


def provenance_files():
    """List every table and document that the configuration asks for; images are vouched for by their manifests."""
    return [
        *(f"{DATA}/annotations/{split}.json" for split in CONFIG.splits),
        *(f"{RESULTS}/images/{split}.csv" for split in splits_with_images()),
        *model_descriptions(),
        *trained_models(),
        *category_tables(),
        *prediction_tables(),
        *label_tables(),
        *metrics_files(),
        *reports(),
    ]
