# Needs:  config/demo.yaml, or another study with a `demo` section; a free port on the loopback interface
# Makes:  <data>/study: scenes, annotations, labels, a correction and predictions, drawn on the spot


onstart:
    start_demo_server()


rule make_demo_study:
    """Draw the demo study's scenes and write its annotations, labels and an observer's predictions."""
    input:
        script="scripts/make_demo_study.py",
        modules=modules("make_demo_study"),
        lineages=CONFIG.categories.lineages,
    output:
        train=f"{DATA}/study/train.json",
        test=f"{DATA}/study/test.json",
        labels=f"{DATA}/study/test-labels.csv",
        corrections=f"{DATA}/study/corrections/train.csv",
        # Which labels are wrong; no rule reads it.
        truth=f"{DATA}/study/truth/train.csv",
        predictions=expand(f"{DATA}/study/predictions/{{split}}.csv", split=["train", "test"]),
        www=directory(f"{DATA}/study/www"),
    log:
        f"{RESULTS}/logs/make_demo_study.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_demo_study.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        folder=subpath(output.train, parent=True),
        scenes=CONFIG.demo.scenes,
        seed=CONFIG.demo.seed,
        url=f"http://127.0.0.1:{CONFIG.demo.port}/",
    shell:
        "python {input.script} --output {params.folder:q} --scenes {params.scenes} --seed {params.seed} "
        "--url {params.url} --lineages {input.lineages:q} > {log:q} 2>&1"
