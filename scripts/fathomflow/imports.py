"""Which library files a program is made of, so that an edit reruns what depends on it and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = "fathomflow"


def imported_modules(program: Path) -> list[Path]:
    """List the library files that a program imports, directly or through others, without importing anything.

    Parameters
    ----------
    program
        A script beside the package ``fathomflow``.

    Returns
    -------
    list of Path
        Sorted; a subpackage counts with every file in it, templates included.
    """
    root = program.parent
    pending = [program]
    found: set[Path] = {root / PACKAGE / "__init__.py"}
    while pending:
        for name in _imports(pending.pop()):
            for path in _files(root, name):
                if path not in found:
                    found.add(path)
                    if path.suffix == ".py":
                        pending.append(path)
    return sorted(found)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name == PACKAGE or name.startswith(f"{PACKAGE}.")}


def _files(root: Path, name: str) -> list[Path]:
    path = root.joinpath(*name.split("."))
    if name == PACKAGE:
        return []
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    module = path.with_suffix(".py")
    return [module] if module.is_file() else []
