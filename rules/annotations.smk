# Needs:  the annotations that the configuration names (COCO JSON), and label tables where labels lie elsewhere
# Makes:  <data>/annotations/<split>.json; results/annotations/<split>.{regions,images,categories,labels}.csv


rule fetch_annotations:
    """Fetch a split's annotations and check them against their SHA-256."""
    input:
        script="scripts/fetch_annotations.py",
        modules=modules("fetch_annotations"),
        source=annotation_file,
    output:
        annotations=ensure(f"{DATA}/annotations/{{split}}.json", non_empty=True),
    log:
        f"{RESULTS}/logs/fetch_annotations/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_annotations/{{split}}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        uri=annotation_uri,
        checksum=annotation_checksum,
    shell:
        "python {input.script} --uri {params.uri:q} {params.checksum} --output {output.annotations:q} > {log:q} 2>&1"


rule read_annotations:
    """Read a split's annotations strictly, and write its boxes, images and categories without labels."""
    input:
        script="scripts/read_annotations.py",
        modules=modules("read_annotations"),
        annotations=rules.fetch_annotations.output.annotations,
    output:
        regions=f"{RESULTS}/annotations/{{split}}.regions.csv",
        images=f"{RESULTS}/annotations/{{split}}.images.csv",
        categories=f"{RESULTS}/annotations/{{split}}.categories.csv",
    log:
        f"{RESULTS}/logs/read_annotations/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_annotations/{{split}}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    shell:
        "python {input.script} --annotations {input.annotations:q} --regions {output.regions:q} "
        "--images {output.images:q} --categories {output.categories:q} > {log:q} 2>&1"


rule read_labels:
    """Write a split's published labels, from its annotations or from a table of their own."""
    input:
        script="scripts/read_labels.py",
        modules=modules("read_labels"),
        source=label_source,
        regions=rules.read_annotations.output.regions,
    output:
        labels=f"{RESULTS}/annotations/{{split}}.labels.csv",
    log:
        f"{RESULTS}/logs/read_labels/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_labels/{{split}}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    shell:
        "python {input.script} --source {input.source:q} --regions {input.regions:q} --labels {output.labels:q} "
        "> {log:q} 2>&1"
