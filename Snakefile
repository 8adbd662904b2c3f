# Fathomflow: from annotated images and trained models to a report that mends labels.
#
# Needs:  config/config.yaml, or a study of your own through --configfile (it then stands alone)
# Makes:  results/evaluation/<split>/<model>/report.html and everything on the way to it

from snakemake.utils import min_version

min_version("9.0")


if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/annotations.smk"
include: "rules/images.smk"
include: "rules/models.smk"
include: "rules/categories.smk"
include: "rules/training.smk"
include: "rules/predictions.smk"
include: "rules/labels.smk"
include: "rules/evaluation.smk"
include: "rules/fiftyone.smk"
include: "rules/provenance.smk"


if CONFIG.demo:

    include: "rules/demo.smk"


rule all:
    """Everything: the reports, and the record of what they were made from."""
    default_target: True
    input:
        rules.write_provenance.output,
        # By themselves too: with the record alone, a report that someone deleted would not be missed.
        provenance_files(),


rule images:
    """The images of every split, with their manifests."""
    input:
        image_manifests(),


rule models:
    """The checkpoints as safe weights."""
    input:
        model_descriptions(),


rule categories:
    """Lineages, category maps and taxonomic distances."""
    input:
        category_tables(),


rule training:
    """The models that are trained here, with their losses."""
    input:
        trained_models(),


rule predictions:
    """Every model's predictions for every split it is asked for."""
    input:
        prediction_tables(),


rule labels:
    """The labels with corrections applied."""
    input:
        label_tables(),


rule evaluation:
    """The figures of every model on every split that has labels."""
    input:
        metrics_files(),


rule report:
    """The reports."""
    input:
        reports(),


# Every rule is known: refuse what the cluster would refuse, or do otherwise than meant.
preflight()


rule fiftyone:
    """The study's FiftyOne dataset; only made when asked for."""
    input:
        rules.build_dataset.output,


rule corrections:
    """What people decided in FiftyOne; `make corrections` asks it anew each time."""
    input:
        rules.export_corrections.output,
