# Needs:  the checkpoints that the configuration names, and their encoders' config.json
# Makes:  <data>/checkpoints/<model>.ckpt (downloads only); results/models/<model>/{checkpoint.json,model.safetensors,model.json}


rule fetch_checkpoint:
    """Fetch a model's checkpoint, or take it where it lies, and record what it is."""
    input:
        script="scripts/fetch_checkpoint.py",
        modules=modules("fetch_checkpoint"),
        source=checkpoint_file,
    output:
        # The checkpoint itself is not declared: Snakemake would delete gigabytes with the first failed or repeated job.
        record=f"{RESULTS}/models/{{model}}/checkpoint.json",
    log:
        f"{RESULTS}/logs/fetch_checkpoint/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_checkpoint/{{model}}.tsv"
    wildcard_constraints:
        model=only(CHECKPOINT_MODELS),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        uri=checkpoint_uri,
        checksum=checkpoint_checksum,
        store=checkpoint_store,
    shell:
        "python {input.script} --uri {params.uri:q} {params.checksum} --store {params.store:q} "
        "--record {output.record:q} > {log:q} 2>&1"


rule convert_checkpoint:
    """Convert a checkpoint into safe weights and a description of them, running nothing that is in it."""
    input:
        script="scripts/convert_checkpoint.py",
        modules=modules("convert_checkpoint"),
        record=rules.fetch_checkpoint.output.record,
        encoders=encoder_files,
    output:
        weights=f"{RESULTS}/models/{{model}}/model.safetensors",
        description=f"{RESULTS}/models/{{model}}/model.json",
    log:
        f"{RESULTS}/logs/convert_checkpoint/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_checkpoint/{{model}}.tsv"
    wildcard_constraints:
        model=only(CHECKPOINT_MODELS),
    conda:
        "../envs/inference.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        checkpoint=checkpoint_path,
        encoders=encoder_options,
    shell:
        "python {input.script} --checkpoint {params.checkpoint:q} --record {input.record:q} {params.encoders} "
        "--weights {output.weights:q} --description {output.description:q} > {log:q} 2>&1"
