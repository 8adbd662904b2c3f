# What is checked of a cluster profile before anything is submitted.

import yaml

from fathomflow.preflight import (
    JOB_PREFIX,
    LOGIN,
    Request,
    gpus_asked,
    jobs_left_behind,
    locked,
    misspelt_rules,
    queued_jobs,
    read_cluster,
    refused,
)

#: A job is tried this often where a profile asks for retries; each attempt may ask for more.
ATTEMPTS = (1, 2, 3)


def preflight():
    """Refuse what the profile gets wrong before anything is submitted; call it when every rule is known."""
    if not workflow.is_main_process:
        return
    settings = workflow.resource_settings
    named = {
        "set-resources": settings.overwrite_resources,
        "set-threads": settings.overwrite_threads,
    }
    problems = misspelt_rules(named, [each.name for each in workflow.rules])
    programs = [each for each in workflow.rules if not each.norun]
    if any("slurm_partition" in each.resources for each in programs):
        requests = [cluster_request(each, attempt) for each in programs for attempt in ATTEMPTS]
        problems += refused(requests, cluster_limits())
        problems += left_behind()
    if problems:
        raise WorkflowError("\n".join(problems))


def cluster_request(program, attempt):
    """Return what a rule asks of the cluster at an attempt; a rule that the profile sends to the login node is local."""
    asked = {name: requested(program, name, attempt) for name in program.resources if name != "tmpdir"}
    if asked.get("slurm_partition") == LOGIN:
        workflow.localrules(program.name)
    # Snakemake's own is_local answers only once the executor is known.
    local = program.name in workflow._localrules
    if local:
        # The plan shows where every rule runs.
        program.resources["slurm_partition"] = LOGIN
    return Request(
        program.name,
        attempt,
        local=local,
        on_gpu="gpu" in asked,
        partition=asked.get("slurm_partition"),
        account=asked.get("slurm_account"),
        qos=asked.get("qos"),
        cpus=asked.get("cpus_per_task") or asked["_cores"],
        mem_mb=asked.get("mem_mb"),
        runtime=asked.get("runtime"),
        gpus=gpus_asked(asked),
    )


def requested(program, name, attempt):
    """Return the value of a rule's resource at an attempt, or None where it depends on wildcards or input."""
    resource = program.resources[name]
    if not resource.is_evaluable():
        return resource.value
    try:
        return resource.evaluate(
            {},
            input=[],
            attempt=attempt,
            threads=1,
            rulename=program.name,
            async_run=workflow.async_run,
        ).value
    except (AttributeError, KeyError, TypeError, NameError, IndexError):
        return None


def left_behind():
    """Say which jobs of a run that was cut off are still there; while a run goes on, its jobs are its own."""
    jobs = jobs_left_behind(queued_jobs(), str(Path.cwd()), JOB_PREFIX)
    if not jobs or locked(Path.cwd()):
        return []
    return [
        f"Slurm still has {len(jobs)} jobs of a run that was cut off ({' '.join(jobs)}); they would write the same "
        "files: `make pace-stop` cancels them"
    ]


def cluster_limits():
    """Read what the cluster's partitions and QOS allow."""
    source = "profiles/pace/limits.yaml"
    with Path(workflow.basedir, source).open() as handle:
        return read_cluster(source, yaml.safe_load(handle))
