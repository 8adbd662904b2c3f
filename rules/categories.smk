# Needs:  results/annotations/<split>.categories.csv of every split, the facts file of lineages
# Makes:  results/categories/lineages.csv, maps/<map>.csv, distances.csv


rule build_categories:
    """Build the lineages of the study's categories, a map per rank and the taxonomic distances."""
    input:
        script="scripts/build_categories.py",
        modules=modules("build_categories"),
        categories=expand(rules.read_annotations.output.categories, split=CONFIG.splits),
        facts=CONFIG.categories.lineages,
        maps=list(CONFIG.categories.maps.values()),
    output:
        lineages=f"{RESULTS}/categories/lineages.csv",
        distances=f"{RESULTS}/categories/distances.csv",
        maps=category_maps(),
    log:
        f"{RESULTS}/logs/build_categories.log",
    benchmark:
        f"{RESULTS}/benchmarks/build_categories.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        folder=subpath(output.lineages, parent=True),
        maps=category_map_options(),
    shell:
        "python {input.script} --categories {input.categories:q} --facts {input.facts:q} {params.maps} "
        "--lineages {output.lineages:q} --maps {params.folder:q}/maps --distances {output.distances:q} > {log:q} 2>&1"
