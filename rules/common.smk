# The validated configuration, folders, wildcard constraints, and the functions that rules call: all rule files use them.

import sys
from functools import cache
from pathlib import Path
from shlex import quote
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from fathomflow.config import (
    CheckpointModel,
    PredictedModel,
    TrainedModel,
    load_study,
    local_path,
    missing_files,
)
from fathomflow.demo_server import serve_directory
from fathomflow.errors import InputError
from fathomflow.imports import imported_modules
from fathomflow.storage import is_bucket
from fathomflow.ranks import RANKS

try:
    CONFIG = load_study(
        config,
        " + ".join(map(str, workflow.overwrite_configfiles or ["config/config.yaml"])),
    )
    missing_files(CONFIG)
except InputError as error:
    raise WorkflowError(str(error)) from None

DATA = CONFIG.paths.data
RESULTS = CONFIG.paths.results

CHECKPOINT_MODELS = [name for name, model in CONFIG.models.items() if isinstance(model, CheckpointModel)]
PREDICTED_MODELS = [name for name, model in CONFIG.models.items() if isinstance(model, PredictedModel)]
TRAINED_MODELS = [name for name, model in CONFIG.models.items() if isinstance(model, TrainedModel)]
LABELLED_SPLITS = [name for name, split in CONFIG.splits.items() if split.labels]


# Names hold no dot and no slash, so results/x/test.csv and results/x/test/model.csv never mean the same rule.
wildcard_constraints:
    split="|".join(CONFIG.splits),
    model="|".join(CONFIG.models) or "no-model",
    shard=r"\d+",


# Cached, because input functions ask for the same program's files once for each job.
@cache
def modules(program):
    """List the library files that scripts/<program>.py imports, relative to the working directory."""
    return [str(path) for path in imported_modules(Path("scripts", f"{program}.py"))]


include: "common/data.smk"
include: "common/models.smk"
include: "common/evaluation.smk"
include: "common/targets.smk"
include: "common/cluster.smk"
include: "common/fiftyone.smk"
