# Needs:  results/predictions, results/labels, results/categories, results/annotations; results/images for pictures
# Makes:  results/evaluation/<split>/<model>/{metrics.json,per_category.csv,confusion.csv,disagreements.csv,slices.csv,
#         suspicions.csv,report.html}; results/evaluation/<split>/{crops.parquet,frames.parquet,comparison.csv,
#         comparison.html}


rule evaluate_predictions:
    """Compare a model's predictions with the labels: figures with intervals, confusions, ranked disagreements."""
    input:
        script="scripts/evaluate_predictions.py",
        modules=modules("evaluate_predictions"),
        predictions=f"{RESULTS}/predictions/{{split}}/{{model}}.csv",
        probabilities=probability_files,
        labels=labels_of,
        regions=rules.read_annotations.output.regions,
        lineages=rules.build_categories.output.lineages,
        maps=category_maps(),
        distances=rules.build_categories.output.distances,
        images=rules.read_annotations.output.images,
        manifest=manifest_of,
    output:
        metrics=f"{RESULTS}/evaluation/{{split}}/{{model}}/metrics.json",
        per_category=report(
            f"{RESULTS}/evaluation/{{split}}/{{model}}/per_category.csv",
            caption="captions/per_category.rst",
            category="Evaluation",
            subcategory="{split}",
            labels={"model": "{model}", "table": "figures per category"},
        ),
        confusion=f"{RESULTS}/evaluation/{{split}}/{{model}}/confusion.csv",
        disagreements=report(
            f"{RESULTS}/evaluation/{{split}}/{{model}}/disagreements.csv",
            caption="captions/disagreements.rst",
            category="Evaluation",
            subcategory="{split}",
            labels={"model": "{model}", "table": "disagreements"},
        ),
        slices=f"{RESULTS}/evaluation/{{split}}/{{model}}/slices.csv",
        suspicions=f"{RESULTS}/evaluation/{{split}}/{{model}}/suspicions.csv",
    log:
        f"{RESULTS}/logs/evaluate_predictions/{{split}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_predictions/{{split}}/{{model}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        probabilities=probability_options,
        manifest=manifest_option,
        seen=seen_in_training,
        replicates=CONFIG.evaluation.bootstrap,
        seed=CONFIG.evaluation.seed,
    shell:
        "python {input.script} --predictions {input.predictions:q} {params.probabilities} --labels {input.labels:q} "
        "--regions {input.regions:q} --lineages {input.lineages:q} --maps {input.maps:q} "
        "--distances {input.distances:q} --images {input.images:q} {params.manifest} --seen {params.seen} "
        "--replicates {params.replicates} --seed {params.seed} "
        "--metrics {output.metrics:q} --per-category {output.per_category:q} --confusion {output.confusion:q} "
        "--disagreements {output.disagreements:q} --slices {output.slices:q} --suspicions {output.suspicions:q} "
        "> {log:q} 2>&1"


rule crop_regions:
    """Cut small pictures of a split's boxes and images for the reports, whatever the labels."""
    input:
        script="scripts/crop_regions.py",
        modules=modules("crop_regions"),
        regions=rules.read_annotations.output.regions,
        manifest=rules.gather_images.output.manifest,
    output:
        crops=f"{RESULTS}/evaluation/{{split}}/crops.parquet",
        frames=f"{RESULTS}/evaluation/{{split}}/frames.parquet",
    log:
        f"{RESULTS}/logs/crop_regions/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/crop_regions/{{split}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        folder=image_folder,
    shell:
        "python {input.script} --regions {input.regions:q} --manifest {input.manifest:q} --images {params.folder:q} "
        "--threads {threads} --crops {output.crops:q} --frames {output.frames:q} > {log:q} 2>&1"


rule render_report:
    """Render the report of a model on a split into one file that opens anywhere."""
    input:
        script="scripts/render_report.py",
        modules=modules("render_report"),
        predictions=f"{RESULTS}/predictions/{{split}}/{{model}}.csv",
        regions=rules.read_annotations.output.regions,
        lineages=rules.build_categories.output.lineages,
        maps=category_maps(),
        labels=labels_of,
        audit=audit_of,
        evaluation=evaluation_tables,
        manifest=manifest_of,
        pictures=picture_files,
    output:
        page=report(
            f"{RESULTS}/evaluation/{{split}}/{{model}}/report.html",
            caption="captions/report.rst",
            category="Reports",
            labels={"split": "{split}", "model": "{model}"},
        ),
    log:
        f"{RESULTS}/logs/render_report/{{split}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/render_report/{{split}}/{{model}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        study=CONFIG.study,
        reviewed=CONFIG.evaluation.reviewed,
        pictures=CONFIG.evaluation.pictures,
        optional=report_options,
    shell:
        "python {input.script} --study {params.study:q} --split {wildcards.split:q} --model {wildcards.model:q} "
        "--predictions {input.predictions:q} --regions {input.regions:q} --lineages {input.lineages:q} "
        "--maps {input.maps:q} --reviewed {params.reviewed} --pictures {params.pictures} {params.optional} "
        "--report {output.page:q} > {log:q} 2>&1"


rule compare_models:
    """Compare all models of a split: figures, paired differences, agreement, and the boxes on which they differ."""
    input:
        script="scripts/compare_models.py",
        modules=modules("compare_models"),
        predictions=predictions_of,
        probabilities=probabilities_of,
        labels=labels_of,
        regions=rules.read_annotations.output.regions,
        lineages=rules.build_categories.output.lineages,
        maps=category_maps(),
        distances=rules.build_categories.output.distances,
        pictures=picture_files,
    output:
        table=report(
            f"{RESULTS}/evaluation/{{split}}/comparison.csv",
            caption="captions/comparison.rst",
            category="Evaluation",
            subcategory="{split}",
            labels={"model": "all", "table": "comparison"},
        ),
        page=report(
            f"{RESULTS}/evaluation/{{split}}/comparison.html",
            caption="captions/comparison.rst",
            category="Reports",
            labels={"split": "{split}", "model": "all"},
        ),
    log:
        f"{RESULTS}/logs/compare_models/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_models/{{split}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=6000,
        runtime=30,
    params:
        study=CONFIG.study,
        names=models_of,
        replicates=CONFIG.evaluation.bootstrap,
        seed=CONFIG.evaluation.seed,
        pictures=CONFIG.evaluation.pictures,
        optional=comparison_options,
    shell:
        "python {input.script} --study {params.study:q} --split {wildcards.split:q} --names {params.names:q} "
        "--predictions {input.predictions:q} --regions {input.regions:q} --lineages {input.lineages:q} "
        "--maps {input.maps:q} --distances {input.distances:q} --replicates {params.replicates} --seed {params.seed} "
        "--pictures {params.pictures} {params.optional} --table {output.table:q} --page {output.page:q} "
        "> {log:q} 2>&1"
