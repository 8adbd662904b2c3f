# Needs:  results/annotations/<split>.images.csv; the image server, or the folder that the configuration names
# Makes:  <data>/images/<split>/<file_name>; results/images/<split>.csv, from one manifest per shard beside it


rule download_images:
    """Bring one shard of a split's images to their folder or bucket, or check those that are there already."""
    input:
        script=image_script,
        modules=image_modules,
        images=rules.read_annotations.output.images,
        pins=image_pins,
    output:
        # The images themselves are not declared: Snakemake would delete them with the first failed or repeated job.
        manifest=f"{RESULTS}/images/shards/{{split}}/{{shard}}.csv",
    log:
        f"{RESULTS}/logs/download_images/{{split}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/download_images/{{split}}/{{shard}}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        # Profiles set how many shards may ask the server at once.
        downloads=1,
        mem_mb=2000,
        runtime=240,
    params:
        place=image_place,
        pins=image_pins_options,
        of=CONFIG.shards.images,
        concurrency=CONFIG.images.concurrency,
        attempts=CONFIG.images.attempts,
        timeout=CONFIG.images.timeout_s,
        max_missing=CONFIG.images.max_missing,
        verify=CONFIG.images.verify,
    shell:
        "python {input.script} --images {input.images:q} --shard {wildcards.shard} --of {params.of} {params.place:q} "
        "--concurrency {params.concurrency} --attempts {params.attempts} --timeout {params.timeout} "
        "--max-missing {params.max_missing} --verify {params.verify} {params.pins:q} --manifest {output.manifest:q} > {log:q} 2>&1"


rule gather_images:
    """Join the shards' manifests and decide whether enough images are usable."""
    input:
        script="scripts/gather_images.py",
        modules=modules("gather_images"),
        images=rules.read_annotations.output.images,
        shards=expand(
            rules.download_images.output.manifest,
            shard=range(CONFIG.shards.images),
            allow_missing=True,
        ),
    output:
        manifest=f"{RESULTS}/images/{{split}}.csv",
    log:
        f"{RESULTS}/logs/gather_images/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather_images/{{split}}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        max_missing=CONFIG.images.max_missing,
    shell:
        "python {input.script} --images {input.images:q} --shards {input.shards:q} --max-missing {params.max_missing} "
        "--manifest {output.manifest:q} > {log:q} 2>&1"
