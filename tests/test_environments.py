from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from fathomflow.environments import (
    Environment,
    Package,
    canonical,
    constraint_lines,
    read_environments,
    read_pins,
    render_environment,
    requirement_lines,
    resolved_packages,
    too_new,
)
from fathomflow.errors import InputError
from fathomflow.imports import imported_modules

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = {environment.name: environment for environment in read_environments(ROOT / "envs" / "packages.toml")}
#: What a distribution is imported as, where that is not its own name.
IMPORTED_AS = {
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "snakemake-executor-plugin-slurm": "snakemake_executor_plugin_slurm",
    "pytorch-lightning": "pytorch_lightning",
    "huggingface-hub": "huggingface_hub",
}


def report(*wheels: tuple[str, str, str]) -> dict[str, object]:
    return {
        "install": [
            {
                "metadata": {"name": name, "version": version},
                "download_info": {
                    "url": f"https://host/{file}",
                    "archive_info": {"hashes": {"sha256": f"{name}-hash"}},
                },
            }
            for name, version, file in wheels
        ]
    }


def pip_section(name: str) -> dict[str, tuple[str, str]]:
    document = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
    assert document["channels"] == ["conda-forge", "nodefaults"]
    *conda, pip = document["dependencies"]
    assert conda[:2] == ["python=3.11", "pip"]
    assert tuple(conda[2:]) == ENVIRONMENTS[name].conda
    found = {}
    for line in pip["pip"]:
        match = re.fullmatch(r"([\w.-]+)==([\w.+!]+) --hash=sha256:([0-9a-f]{64})", line)
        assert match, line
        found[match[1]] = (match[2], match[3])
    return found


def third_party(programs: list[Path]) -> set[str]:
    names = set()
    for program in programs:
        for file in [program, *imported_modules(program)]:
            if file.suffix != ".py":
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"fathomflow"}


def programs_of_rules() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for body in re.split(r"^(?:rule|checkpoint) ", file.read_text(), flags=re.MULTILINE)[1:]:
            environment = re.search(r'conda:\s*"\.\./envs/(\w+)\.yaml"', body)
            if environment:
                scripts = re.findall(r'"scripts/(\w+)\.py"', body) or re.findall(r'modules=modules\("(\w+)"\)', body)
                found.setdefault(environment[1], []).extend(ROOT / "scripts" / f"{script}.py" for script in scripts)
    return found


@pytest.mark.parametrize("name", programs_of_rules())
def test_every_import_of_a_rule_is_named_in_its_environment(name: str) -> None:
    here = {IMPORTED_AS.get(canonical(each), canonical(each)) for each in ENVIRONMENTS[name].packages}
    if "pytorch_lightning" in here:
        here.add("lightning_fabric")  # in the same distribution
    assert third_party(programs_of_rules()[name]) - here == set()


def test_the_driver_has_what_the_snakefile_imports(tmp_path: Path) -> None:
    functions = [ROOT / "rules/common.smk", *sorted((ROOT / "rules/common").glob("*.smk"))]
    source = "\n".join(path.read_text() for path in functions)
    imports = re.findall(r"^(?:from fathomflow\S* import|import fathomflow)[^\n]*", source, re.M)
    # Snakemake code is not Python: only the imports matter here, and they are.
    names = set(re.findall(r"^from (fathomflow\.\w+)", "\n".join(imports), re.M))
    program = tmp_path / "scripts" / "program.py"
    program.parent.mkdir()
    program.write_text("".join(f"import {name}\n" for name in sorted(names)))
    (tmp_path / "scripts" / "fathomflow").symlink_to(ROOT / "scripts" / "fathomflow")
    driver = {IMPORTED_AS.get(canonical(each), canonical(each)) for each in ENVIRONMENTS["snakemake"].packages}
    assert third_party([program]) - driver == set()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments_agree_with_the_pins(name: str) -> None:
    pins = read_pins([ROOT / "requirements.txt", ROOT / "constraints.txt"])
    environment = ENVIRONMENTS[name]
    written = pip_section(name)
    own = {canonical(each): version for each, version in environment.pins.items()}
    assert {canonical(each) for each in environment.packages} <= written.keys()
    differing = {
        each: version for each, (version, _) in written.items() if version != own.get(each, pins.get(each, version))
    }
    assert differing == {}, "run `make envs`"


def test_inference_brings_cuda_12_and_nothing_newer() -> None:
    written = pip_section("inference")
    assert written["torch"][0] == "2.10.0"
    assert written["nvidia-cuda-runtime-cu12"][0].startswith("12.")
    assert not [name for name in written if name.endswith("-cu13") or name == "cuda-toolkit"]


def test_files_beside_environments_that_would_silence_pip() -> None:
    assert list((ROOT / "envs").glob("*.pin.txt")) == []


def test_pins_the_first_file_wins_and_names_are_canonical(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("# note\nHugging_Face.hub==1.0\ntorch==2.13.0\nuvicorn[standard]==3.1\n")
    (tmp_path / "b").write_text("torch==9\nsix==1.17.0\n")
    assert read_pins([tmp_path / "a", tmp_path / "b"]) == {
        "hugging-face-hub": "1.0",
        "torch": "2.13.0",
        "uvicorn": "3.1",
        "six": "1.17.0",
    }


def test_own_pins_replace_the_common_ones() -> None:
    environment = Environment("x", "why", ("torch", "Six"), pins={"Torch": "2.10.0"})
    pins = {"torch": "2.13.0", "six": "1.17.0"}
    assert requirement_lines(environment, pins) == ["torch==2.10.0", "Six==1.17.0"]
    assert constraint_lines(environment, pins) == ["six==1.17.0"]
    with pytest.raises(InputError, match="x: numpy has no version"):
        requirement_lines(Environment("x", "why", ("numpy",)), pins)


def test_wheels_for_a_newer_c_library_are_found() -> None:
    document = report(
        ("New", "1", "new-1-cp311-cp311-manylinux_2_34_x86_64.whl"),
        ("both", "2", "both-2-cp311-cp311-manylinux_2_17_x86_64.manylinux_2_34_x86_64.whl"),
        ("any", "3", "any-3-py3-none-any.whl"),
    )
    assert too_new(document) == ["New==1"]
    assert resolved_packages(document)[1:] == [Package("both", "2", "both-hash"), Package("new", "1", "New-hash")]


def test_rendered_environment_is_what_conda_reads() -> None:
    environment = Environment("x", "For tests.", ("Torch",), conda=("conda>=24",))
    text = render_environment(environment, [Package("six", "1", "a" * 64), Package("torch", "2", "b" * 64)])
    assert text.startswith("# For tests.\n")
    *conda, pip = yaml.safe_load(text)["dependencies"]
    assert conda == ["python=3.11", "pip", "conda>=24"]
    assert pip["pip"] == [f"torch==2 --hash=sha256:{'b' * 64}", f"six==1 --hash=sha256:{'a' * 64}"]


def test_unknown_key_in_packages(tmp_path: Path) -> None:
    (tmp_path / "packages.toml").write_text('[x]\npurpose = "p"\npackages = []\nchannel = "c"\n')
    with pytest.raises(InputError, match="x: needs purpose and packages"):
        read_environments(tmp_path / "packages.toml")
