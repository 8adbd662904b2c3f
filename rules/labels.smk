# Needs:  results/annotations/<split>.labels.csv, the corrections that the configuration names
# Makes:  results/labels/<split>.csv and <split>.audit.csv; <split>.coco.json when it is asked for


rule apply_corrections:
    """Apply the reviewers' corrections to a split's published labels."""
    input:
        script="scripts/apply_corrections.py",
        modules=modules("apply_corrections"),
        labels=rules.read_labels.output.labels,
        regions=rules.read_annotations.output.regions,
        lineages=rules.build_categories.output.lineages,
        corrections=correction_files,
    output:
        labels=f"{RESULTS}/labels/{{split}}.csv",
        audit=report(
            f"{RESULTS}/labels/{{split}}.audit.csv",
            caption="captions/audit.rst",
            category="Labels",
            labels={"split": "{split}", "table": "applied corrections"},
        ),
    log:
        f"{RESULTS}/logs/apply_corrections/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/apply_corrections/{{split}}.tsv"
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    shell:
        "python {input.script} --labels {input.labels:q} --regions {input.regions:q} --lineages {input.lineages:q} "
        "--corrections {input.corrections:q} --output {output.labels:q} --audit {output.audit:q} > {log:q} 2>&1"


rule export_annotations:
    """Write a split's annotations as COCO with its corrected labels, when that file is asked for."""
    input:
        script="scripts/export_annotations.py",
        modules=modules("export_annotations"),
        annotations=rules.fetch_annotations.output.annotations,
        labels=rules.apply_corrections.output.labels,
        lineages=rules.build_categories.output.lineages,
    output:
        annotations=f"{RESULTS}/labels/{{split}}.coco.json",
    log:
        f"{RESULTS}/logs/export_annotations/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_annotations/{{split}}.tsv"
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    shell:
        "python {input.script} --annotations {input.annotations:q} --labels {input.labels:q} "
        "--lineages {input.lineages:q} --output {output.annotations:q} > {log:q} 2>&1"
