# Functions of the models, training and predictions stages.

# --- models and predictions


def only(models):
    """Return the pattern that names these models and no other, also where there are none."""
    return "|".join(models) or "no-model"


def checkpoint_uri(wildcards):
    """Return where a model's checkpoint is published."""
    return CONFIG.models[wildcards.model].checkpoint.uri


def checkpoint_file(wildcards):
    """Return the checkpoint as an input where it lies on this file system, so that an exchange is noticed."""
    path = local_path(checkpoint_uri(wildcards))
    return str(path) if path else []


def checkpoint_checksum(wildcards):
    """Return the option that pins a model's checkpoint, or nothing."""
    sha256 = CONFIG.models[wildcards.model].checkpoint.sha256
    return f"--sha256 {sha256}" if sha256 else ""


def checkpoint_store(wildcards):
    """Return where a downloaded checkpoint stands."""
    return f"{DATA}/checkpoints/{wildcards.model}.ckpt"


def checkpoint_path(wildcards):
    """Return the checkpoint to convert: where it lies, else where it was downloaded to."""
    return checkpoint_file(wildcards) or checkpoint_store(wildcards)


def encoder_files(wildcards):
    """Return the config.json of the object and the context encoders, or nothing for DINOv2-large."""
    encoder = CONFIG.models[wildcards.model].encoder
    return [encoder.object, encoder.context] if encoder else []


def encoder_options(wildcards):
    """Return the options that name the encoders' config.json, or nothing."""
    names = ("--encoder-object", "--encoder-context")
    return " ".join(f"{name} {quote(path)}" for name, path in zip(names, encoder_files(wildcards)))


def model_precision(wildcards):
    """Return the number format in which a model computes."""
    return CONFIG.models[wildcards.model].precision


def model_batch_size(wildcards):
    """Return how many boxes a model takes at once."""
    return CONFIG.models[wildcards.model].batch_size


def chunk_folder(wildcards):
    """Return where finished chunks are kept; it is no output, so that a failed job leaves it alone."""
    return f"{RESULTS}/predictions/chunks/{wildcards.split}/{wildcards.model}"


def calibration_of(model):
    """Return on what a model's scores are calibrated, or None."""
    return CONFIG.models[model].calibration if model in CHECKPOINT_MODELS else None


def calibration_vectors(wildcards):
    """Return the raw predictions of the split on which a model is calibrated."""
    split = calibration_of(wildcards.model).split
    shards = range(CONFIG.shards.predictions)
    return [f"{RESULTS}/predictions/shards/{split}/{wildcards.model}/{shard}.parquet" for shard in shards]


def calibration_labels(wildcards):
    """Return the labels on which a model is calibrated."""
    return calibration_of(wildcards.model).labels


def calibration_split(wildcards):
    """Return the split on which a model is calibrated."""
    return calibration_of(wildcards.model).split


def calibration_file(wildcards):
    """Return a model's calibration, or nothing."""
    return f"{RESULTS}/models/{wildcards.model}/calibration.json" if calibration_of(wildcards.model) else []


def calibration_option(wildcards):
    """Return the option that names a model's calibration, or nothing."""
    path = calibration_file(wildcards)
    return f"--calibration {quote(path)}" if path else ""


def predictions_made_elsewhere(wildcards):
    """Return the table of a model that comes as predictions."""
    return CONFIG.models[wildcards.model].predictions[wildcards.split]


# --- training


def is_out_of_fold(wildcards):
    """Tell whether a model is trained on this split, so that each fold is predicted by the model that has not seen it."""
    return wildcards.model in TRAINED_MODELS and CONFIG.models[wildcards.model].training.split == wildcards.split


def model_folder(wildcards):
    """Return where a model's weights lie; out of fold a shard is a fold, and its model has not seen that fold."""
    if wildcards.model not in TRAINED_MODELS:
        return f"{RESULTS}/models/{wildcards.model}"
    fold = getattr(wildcards, "shard", "0") if is_out_of_fold(wildcards) else "all"
    return f"{RESULTS}/training/{wildcards.model}/{fold}"


def model_description(wildcards):
    """Return the description of the model that predicts a split, or one shard of it."""
    return f"{model_folder(wildcards)}/model.json"


def model_weights(wildcards):
    """Return its weights."""
    return f"{model_folder(wildcards)}/model.safetensors"


def regions_to_predict(wildcards):
    """Return the boxes that a shard is cut from: the split's; out of fold those that its model has not seen."""
    if is_out_of_fold(wildcards):
        return f"{model_folder(wildcards)}/held_out.csv"
    return f"{RESULTS}/annotations/{wildcards.split}.regions.csv"


def prediction_shards(wildcards):
    """Return the numbers of the shards of a split's predictions; out of fold a shard is a fold."""
    if is_out_of_fold(wildcards):
        return range(CONFIG.models[wildcards.model].training.folds)
    return range(CONFIG.shards.predictions)


def shard_options(wildcards):
    """Return the options that name a shard, or nothing where it is all that the regions hold."""
    if is_out_of_fold(wildcards):
        return ""
    return f"--shard {wildcards.shard} --of {CONFIG.shards.predictions}"


def fold_tables(wildcards):
    """Return what folds are dealt by: boxes, the images' addresses, and the labels that are to be learnt."""
    training = CONFIG.models[wildcards.model].training
    tables = f"{RESULTS}/annotations/{training.split}"
    published = training.labels == "published"
    return {
        "regions": f"{tables}.regions.csv",
        "images": f"{tables}.images.csv",
        "labels": f"{tables}.labels.csv" if published else f"{RESULTS}/labels/{training.split}.csv",
    }


def fold_options(wildcards):
    """Return the options that say how folds are dealt."""
    training = CONFIG.models[wildcards.model].training
    return ["--folds", training.folds, "--seed", training.seed]


def training_tables(wildcards):
    """Return the boxes, images and categories of the split that a model is trained on."""
    split = CONFIG.models[wildcards.model].training.split
    return {
        "regions": f"{RESULTS}/annotations/{split}.regions.csv",
        "manifest": f"{RESULTS}/images/{split}.csv",
        "categories": f"{RESULTS}/annotations/{split}.categories.csv",
    }


def training_images(wildcards):
    """Return the folder that holds the images of the split that a model is trained on."""
    return image_folder(SimpleNamespace(split=CONFIG.models[wildcards.model].training.split))


def training_options(wildcards):
    """Return the options that say what a model is and how it is trained."""
    training = CONFIG.models[wildcards.model].training
    named = training.model_dump(exclude={"folds", "augmentation", "architecture", "pretrained"})
    named |= training.architecture.model_dump(exclude={"scales"})
    options = [word for name, value in named.items() for word in (f"--{name.replace('_', '-')}", value)]
    options += ["--scales", *training.architecture.scales]
    if training.augmentation:
        options += ["--augmentation", *training.augmentation.model_dump().values()]
    if training.pretrained:
        options += ["--pretrained", training.pretrained]
    return options


def training_state(wildcards):
    """Return where the state of a training that was cut off is kept."""
    return f"{RESULTS}/training/{wildcards.model}/{wildcards.fold}/state"


def is_small(wildcards):
    """Tell whether a model is so small that a GPU would mostly wait for it."""
    training = CONFIG.models[wildcards.model].training
    return training.pretrained is None and training.architecture.hidden <= 128


def training_gpus(wildcards):
    """Return how many GPUs a training asks for."""
    return 0 if is_small(wildcards) else 1


def training_threads(wildcards):
    """Return how many cores a training asks for: a small model is trained sooner on one beside another fold on the next."""
    return 1 if is_small(wildcards) else 8
