# Needs:  everything that the configuration asks for
# Makes:  results/provenance.json


rule write_provenance:
    """Record what the results were made from: revision, configuration, versions, and the SHA-256 of every table."""
    input:
        script="scripts/write_provenance.py",
        modules=modules("write_provenance"),
        files=provenance_files(),
    output:
        record=f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/write_provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_provenance.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        configuration=CONFIG.model_dump_json(),
    shell:
        "python {input.script} --configuration {params.configuration:q} --record {output.record:q} {input.files:q} "
        "> {log:q} 2>&1"
