# Needs:  results/annotations, results/images, results/labels, results/categories, results/predictions,
#         results/evaluation; the images
# Makes:  results/fiftyone/<dataset>.json and the dataset that it describes, in results/fiftyone/database or on a server;
#         results/fiftyone/corrections/<split>.{csv,verdicts.csv,conflicts.csv}, of what people decided in FiftyOne


rule build_dataset:
    """Build the study's FiftyOne dataset from its files, or change in place what differs from them."""
    input:
        script="scripts/build_dataset.py",
        modules=modules("build_dataset"),
        tables=dataset_tables(),
        labels=label_tables(),
        predictions=dataset_predictions(),
        evaluations=dataset_evaluations(),
        lineages=rules.build_categories.output.lineages,
        distances=rules.build_categories.output.distances,
    output:
        state=f"{RESULTS}/fiftyone/{fiftyone_dataset()}.json",
        # It lies in the database's folder and is lost with it, so that Snakemake knows that there is work to do.
        seal=f"{RESULTS}/fiftyone/database/{fiftyone_dataset()}.json",
    log:
        f"{RESULTS}/logs/build_dataset.log",
    benchmark:
        f"{RESULTS}/benchmarks/build_dataset.tsv"
    conda:
        "../envs/fiftyone.yaml"
    resources:
        fiftyone=database_slots(),
        mem_mb=4000,
        runtime=60,
    params:
        study=CONFIG.study,
        dataset=fiftyone_dataset(),
        database=subpath(output.seal, parent=True),
        server=database_options(),
        tables=dataset_options(),
    shell:
        "python {input.script} --study {params.study:q} --dataset {params.dataset:q} --database {params.database:q} "
        "{params.server} {params.tables} --lineages {input.lineages:q} --distances {input.distances:q} "
        "--state {output.state:q} --seal {output.seal:q} > {log:q} 2>&1"


rule export_corrections:
    """Write what people decided in FiftyOne as corrections, beside those that the study has already."""
    input:
        script="scripts/export_corrections.py",
        modules=modules("export_corrections"),
        state=rules.build_dataset.output.state,
        lineages=rules.build_categories.output.lineages,
        corrections=all_corrections(),
    output:
        tables=exported_corrections(),
    log:
        f"{RESULTS}/logs/export_corrections.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_corrections.tsv"
    conda:
        "../envs/fiftyone.yaml"
    resources:
        fiftyone=database_slots(),
        mem_mb=4000,
        runtime=30,
    params:
        dataset=fiftyone_dataset(),
        database=f"{RESULTS}/fiftyone/database",
        server=database_options(),
        splits=list(CONFIG.splits),
        corrections=all_corrections_options(),
        folder=subpath(output[0], parent=True),
    shell:
        "python {input.script} --dataset {params.dataset:q} --database {params.database:q} {params.server} "
        "--splits {params.splits:q} {params.corrections} --lineages {input.lineages:q} --output {params.folder:q} "
        "> {log:q} 2>&1"
