"""The configuration reference, written from the schema so that it cannot drift."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fathomflow.config import study_schema

#: What the names in a section are names of, where its own name does not say.
KEYED_BY = {"predict": "split", "predictions": "split"}

HEADER = """# Configuration

One YAML file is one study: `config/config.yaml` is FathomNet 2025, and `--configfile my-study.yaml` runs another one
in its place. Editors that know YAML schemas (the first line of the file names it) complete and check the keys. A
mistake is reported before any job starts, with the key, what was found and the nearest valid name.

This page is written by `make schema` from the models in `scripts/fathomflow/config.py`. `<…>` stands for a name that
you choose: letters, digits, `-` and `_`.

| key | values | default | meaning |
| --- | ------ | ------- | ------- |
"""


def reference() -> str:
    """Return docs/configuration.md: one row per key, nested keys joined by dots."""
    schema = study_schema()
    return HEADER + "".join(f"| {' | '.join(cells)} |\n" for cells in _rows(schema, schema, ""))


def _rows(schema: Mapping[str, Any], section: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, node in section["properties"].items():
        yield from _row(schema, node, prefix + name, name in section.get("required", ()))


def _row(
    schema: Mapping[str, Any], node: Mapping[str, Any], key: str, required: bool
) -> Iterator[tuple[str, str, str, str]]:
    inner = _resolve(schema, node)
    sections = [part for part in inner if "properties" in part]
    default = "required" if required else _code(node.get("default"))
    if sections:
        yield (
            f"`{key}`",
            "section",
            default if required or node.get("default", {}) is None else "",
            _meaning(node, inner),
        )
        for part in sections:
            yield from _rows(schema, part, f"{key}.")
        return
    patterns = next((part["patternProperties"] for part in inner if "patternProperties" in part), None)
    if patterns is None:
        yield f"`{key}`", _values(inner), default, _meaning(node, inner)
        return
    yield f"`{key}`", "names", "required" if required else "none", _meaning(node, inner)
    value = next(iter(patterns.values()))
    last = key.rpartition(".")[2]
    name = f"{key}.<{KEYED_BY.get(last, last.rstrip('s'))}>"
    for part in _resolve(schema, value):
        if "properties" in part:
            yield f"`{name}`", "section", "", _meaning(part, [part])
            yield from _rows(schema, part, f"{name}.")
        else:
            yield f"`{name}`", _values([part]), "", ""


def _resolve(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "$ref" in node:
        return [schema["$defs"][node["$ref"].rpartition("/")[2]]]
    unions = [part for union in ("anyOf", "oneOf") for part in node.get(union, ())]
    return [inner for part in unions for inner in _resolve(schema, part)] if unions else [node]


def _meaning(node: Mapping[str, Any], inner: list[Mapping[str, Any]]) -> str:
    text = node.get("description") or next((part["description"] for part in inner if "description" in part), "")
    return " ".join(text.split())


def _values(parts: list[Mapping[str, Any]]) -> str:
    return " or ".join(_value(part) for part in parts)


def _value(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(_code(value) for value in part["enum"])
    if "const" in part:
        return _code(part["const"])
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true, false", "null": "null"}
    if part.get("type") == "array":
        return "list of " + _value(part["items"])
    bounds = [
        f"{sign} {part[name]:g}"
        for name, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if name in part
    ]
    return " ".join([words[part["type"]], ", ".join(bounds)]).strip()


def _code(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"
