"""Which files a program is made of."""

from pathlib import Path

from fathomflow.imports import imported_modules


def test_imports_are_followed_and_others_left_out(tmp_path: Path) -> None:
    package = tmp_path / "fathomflow"
    (package / "page").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "one.py": "from fathomflow import two\nimport json",
        "two.py": "def late():\n    import fathomflow.three",
        "three.py": "",
        "other.py": "",
        "page/__init__.py": "",
        "page/template.html": "",
    }.items():
        (package / name).write_text(text)
    program = tmp_path / "do_it.py"
    program.write_text("from fathomflow.one import x\nfrom fathomflow.page import y\n")
    assert [path.relative_to(package).as_posix() for path in imported_modules(program)] == [
        "__init__.py",
        "one.py",
        "page/__init__.py",
        "page/template.html",
        "three.py",
        "two.py",
    ]


def test_inference_does_not_depend_on_labels() -> None:
    scripts = Path(__file__).parents[1] / "scripts"
    assert "labels" not in {path.stem for path in imported_modules(scripts / "predict_regions.py")}
    assert "labels" in {path.stem for path in imported_modules(scripts / "apply_corrections.py")}
