# Needs:  results/annotations/<split>.*, results/images/<split>.csv and the images, results/categories/lineages.csv;
#         results/labels/<split>.csv where corrected labels are to be learnt
# Makes:  results/training/<model>/folds.csv; for every fold, and for `all` of the split, in
#         results/training/<model>/<fold>: model.ckpt, encoder.json, model.safetensors, model.json,
#         held_out.csv, log.csv, loss.svg


rule assign_folds:
    """Deal a split's boxes into folds by dive, with the labels that a model is to learn."""
    input:
        unpack(fold_tables),
        script="scripts/assign_folds.py",
        modules=modules("assign_folds"),
    output:
        folds=f"{RESULTS}/training/{{model}}/folds.csv",
    log:
        f"{RESULTS}/logs/assign_folds/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/assign_folds/{{model}}.tsv"
    wildcard_constraints:
        model=only(TRAINED_MODELS),
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    params:
        options=fold_options,
    shell:
        "python {input.script} --regions {input.regions:q} --images {input.images:q} --labels {input.labels:q} "
        "{params.options:q} --output {output.folds:q} > {log:q} 2>&1"


rule train_model:
    """Train a model on all of a split, or on all but one fold; a run that was cut off goes on from its last epoch."""
    input:
        unpack(training_tables),
        script="scripts/train_model.py",
        modules=modules("train_model"),
        folds=rules.assign_folds.output.folds,
        lineages=rules.build_categories.output.lineages,
    output:
        checkpoint=f"{RESULTS}/training/{{model}}/{{fold}}/model.ckpt",
        encoder=f"{RESULTS}/training/{{model}}/{{fold}}/encoder.json",
        weights=f"{RESULTS}/training/{{model}}/{{fold}}/model.safetensors",
        description=f"{RESULTS}/training/{{model}}/{{fold}}/model.json",
        held_out=f"{RESULTS}/training/{{model}}/{{fold}}/held_out.csv",
        epochs=f"{RESULTS}/training/{{model}}/{{fold}}/log.csv",
        plot=report(
            f"{RESULTS}/training/{{model}}/{{fold}}/loss.svg",
            caption="captions/loss.rst",
            category="Training",
            subcategory="{model}",
            labels={"fold": "{fold}"},
        ),
    log:
        f"{RESULTS}/logs/train_model/{{model}}/{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_model/{{model}}/{{fold}}.tsv"
    wildcard_constraints:
        model=only(TRAINED_MODELS),
        fold=r"\d+|all",
    conda:
        "../envs/inference.yaml"
    threads: training_threads
    resources:
        gpu=training_gpus,
        mem_mb=32000,
        runtime=1440,
    params:
        folder=training_images,
        options=training_options,
        # The state of a run that was cut off is no output: Snakemake would delete it with the failed job.
        state=training_state,
    shell:
        "python {input.script} --examples {input.folds:q} --regions {input.regions:q} --manifest {input.manifest:q} "
        "--images {params.folder:q} --categories {input.categories:q} --lineages {input.lineages:q} "
        "--fold {wildcards.fold} {params.options:q} --threads {threads} --state {params.state:q} "
        "--checkpoint {output.checkpoint:q} --encoder {output.encoder:q} --weights {output.weights:q} "
        "--description {output.description:q} "
        "--held-out {output.held_out:q} --log {output.epochs:q} --plot {output.plot:q} > {log:q} 2>&1"
