"""What is said of a configuration with mistakes: which key, what was found, what is allowed, the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def explain(problem: Any, schema: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors (`ValidationError.errors()`) as a line: key, what was found, what is allowed.

    `schema` is the JSON schema of the whole configuration, from which the allowed keys are taken.
    """
    key = ".".join(str(part) for part in problem["loc"] if part not in schema["$defs"] and part != "[key]")
    found = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            *section, name = problem["loc"]
            return f"{key}: unknown key; {choices(str(name), _keys_at(schema, section))}"
        case "missing":
            return f"{key}: missing; this key is required"
        case "literal_error":
            return f"{key}: {found!r} is not allowed; use {problem['ctx']['expected']}"
        case "string_pattern_mismatch" if "0-9a-f" in problem["ctx"]["pattern"]:
            return f"{key}: {found!r} is no SHA-256; use 64 lower-case hexadecimal digits or null"
        case "string_pattern_mismatch":
            return f"{key}: {found!r} is no name; use letters, digits, '-' and '_', a letter or digit first"
        case _:
            return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}; found {found!r}"


def choices(name: str, allowed: Iterable[str]) -> str:
    """Say which name was probably meant and which there are."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}Known here: {', '.join(names) or 'none'}"


def _keys_at(schema: Mapping[str, Any], location: Sequence[str | int]) -> list[str]:
    """Return the keys that the schema allows in the section at a pydantic error's location."""
    nodes = list(_sections(schema, schema))
    for part in location:
        if part in schema["$defs"]:
            nodes = [schema["$defs"][part]]
            continue
        # A dictionary of sections stands as a pattern for its keys, with one schema for all values.
        inner = [
            node.get("properties", {}).get(part) or [*node.get("patternProperties", {}).values(), {}][0]
            for node in nodes
        ]
        nodes = [section for node in inner for section in _sections(schema, node)]
    return sorted({key for node in nodes for key in node.get("properties", ())})


def _sections(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the object schemas that a node can stand for, through references and unions."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for union in ("anyOf", "oneOf"):
        for inner in node.get(union, ()):
            yield from _sections(schema, inner)
    if node.get("type") == "object":
        yield node
