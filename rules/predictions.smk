# Needs:  results/annotations/<split>.regions.csv, results/images/<split>.csv and the images, results/models/<model> or
#         results/training/<model>, results/categories/lineages.csv; predictions made elsewhere
# Makes:  results/predictions/<split>/<model>.{csv,submission.csv}, and of checkpoints also .parquet and .failed.csv;
#         one table per shard in results/predictions/shards, finished chunks in results/predictions/chunks


rule predict_regions:
    """Predict one shard of a split's boxes; finished chunks survive the job and are taken over by the next."""
    input:
        script="scripts/predict_regions.py",
        modules=modules("predict_regions"),
        regions=regions_to_predict,
        manifest=rules.gather_images.output.manifest,
        description=model_description,
        # The description carries the weights' hash, so gigabytes need not be compared.
        weights=ancient(model_weights),
        lineages=rules.build_categories.output.lineages,
    output:
        table=f"{RESULTS}/predictions/shards/{{split}}/{{model}}/{{shard}}.csv",
        vectors=f"{RESULTS}/predictions/shards/{{split}}/{{model}}/{{shard}}.parquet",
        failed=f"{RESULTS}/predictions/shards/{{split}}/{{model}}/{{shard}}.failed.csv",
    log:
        f"{RESULTS}/logs/predict_regions/{{split}}/{{model}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict_regions/{{split}}/{{model}}/{{shard}}.tsv"
    wildcard_constraints:
        model=only(CHECKPOINT_MODELS + TRAINED_MODELS),
    conda:
        "../envs/inference.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
        # A profile names a folder on the node's own disk here, where the weights' place is slow.
        stage="",
    params:
        folder=image_folder,
        shard=shard_options,
        precision=model_precision,
        batch_size=model_batch_size,
        chunks=chunk_folder,
    shell:
        # How many images may fail is decided for the whole split, when the shards are gathered.
        "python {input.script} --regions {input.regions:q} --manifest {input.manifest:q} --images {params.folder:q} "
        '--model {input.description:q} --weights {input.weights:q} --stage "{resources.stage}" '
        "--categories {input.lineages:q} "
        "{params.shard} --precision {params.precision} --batch-size {params.batch_size} "
        "--threads {threads} --max-failed 1 --chunks {params.chunks:q} --table {output.table:q} "
        "--vectors {output.vectors:q} --failed {output.failed:q} > {log:q} 2>&1"


rule calibrate_predictions:
    """Fit the temperature at which a model's scores are honest, on labelled boxes that it was not trained on."""
    input:
        script="scripts/calibrate_predictions.py",
        modules=modules("calibrate_predictions"),
        vectors=calibration_vectors,
        labels=calibration_labels,
        description=rules.convert_checkpoint.output.description,
    output:
        calibration=f"{RESULTS}/models/{{model}}/calibration.json",
    log:
        f"{RESULTS}/logs/calibrate_predictions/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibrate_predictions/{{model}}.tsv"
    wildcard_constraints:
        model=only(CHECKPOINT_MODELS),
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    params:
        split=calibration_split,
    shell:
        "python {input.script} --vectors {input.vectors:q} --labels {input.labels:q} --model {input.description:q} "
        "--split {params.split:q} --calibration {output.calibration:q} > {log:q} 2>&1"


rule gather_predictions:
    """Join the shards' predictions and prove that every box is there exactly once."""
    input:
        script="scripts/gather_predictions.py",
        modules=modules("gather_predictions"),
        regions=rules.read_annotations.output.regions,
        description=model_description,
        tables=expand(
            rules.predict_regions.output.table,
            shard=prediction_shards,
            allow_missing=True,
        ),
        vectors=expand(
            rules.predict_regions.output.vectors,
            shard=prediction_shards,
            allow_missing=True,
        ),
        failed=expand(
            rules.predict_regions.output.failed,
            shard=prediction_shards,
            allow_missing=True,
        ),
        calibration=calibration_file,
    output:
        table=f"{RESULTS}/predictions/{{split}}/{{model}}.csv",
        vectors=f"{RESULTS}/predictions/{{split}}/{{model}}.parquet",
        failed=f"{RESULTS}/predictions/{{split}}/{{model}}.failed.csv",
        submission=f"{RESULTS}/predictions/{{split}}/{{model}}.submission.csv",
    log:
        f"{RESULTS}/logs/gather_predictions/{{split}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather_predictions/{{split}}/{{model}}.tsv"
    wildcard_constraints:
        model=only(CHECKPOINT_MODELS + TRAINED_MODELS),
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    params:
        max_failed=CONFIG.images.max_missing,
        calibration=calibration_option,
    shell:
        "python {input.script} --regions {input.regions:q} --model {input.description:q} --tables {input.tables:q} "
        "--vectors {input.vectors:q} --failed {input.failed:q} --max-failed {params.max_failed} {params.calibration} "
        "--table-output {output.table:q} --vectors-output {output.vectors:q} --failed-output {output.failed:q} "
        "--submission {output.submission:q} > {log:q} 2>&1"


rule import_predictions:
    """Take predictions that were made elsewhere, and check that they cover the split exactly."""
    input:
        script="scripts/import_predictions.py",
        modules=modules("import_predictions"),
        predictions=predictions_made_elsewhere,
        regions=rules.read_annotations.output.regions,
        lineages=rules.build_categories.output.lineages,
    output:
        table=f"{RESULTS}/predictions/{{split}}/{{model}}.csv",
        submission=f"{RESULTS}/predictions/{{split}}/{{model}}.submission.csv",
    log:
        f"{RESULTS}/logs/import_predictions/{{split}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/import_predictions/{{split}}/{{model}}.tsv"
    wildcard_constraints:
        model=only(PREDICTED_MODELS),
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    shell:
        "python {input.script} --predictions {input.predictions:q} --regions {input.regions:q} "
        "--categories {input.lineages:q} --table {output.table:q} --submission {output.submission:q} > {log:q} 2>&1"
