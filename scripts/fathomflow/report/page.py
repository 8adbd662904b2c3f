"""One self-contained HTML file from a template, style sheets, scripts and data."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from fathomflow.report.payload import to_script
from fathomflow.report.wording import format_interval, format_value, word_figure

#: The scripts of every page, in the order in which they are joined.
SCRIPTS = ("data.js", "csv.js", "review.js", "cards.js", "dialog.js", "tables.js", "matrix.js", "gallery.js", "main.js")
STYLES = ("page.css", "parts.css")


def _asset(name: str) -> str:
    return files("fathomflow.report").joinpath(name).read_text(encoding="utf-8")


def environment() -> jinja2.Environment:
    """Return the template environment: everything is escaped, a name that is not given is an error."""
    result = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result.filters["figure_of"] = lambda value, key, signed=False: format_value(key, value, signed=signed)
    result.globals["word"] = word_figure
    result.globals["interval_of"] = format_interval
    return result


def render_page(
    template: str, context: Mapping[str, Any], data: Mapping[str, Any], scripts: Sequence[str] = SCRIPTS
) -> str:
    """Render a page into one file that asks for nothing outside itself.

    The page's content security policy allows its own script, known by hash, inline styles and inline pictures, and
    nothing else, so even a hole in the escaping could neither run code nor send anything away.

    Parameters
    ----------
    template
        Template beside this module.
    context
        What the template shows.
    data
        Element id → JSON that the script reads.
    scripts
        Scripts to join.

    Returns
    -------
    str
        HTML.
    """
    script = '"use strict";\n' + "\n".join(_asset(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        environment()
        .get_template(template)
        .render(
            policy=policy,
            style=Markup("\n".join(_asset(name) for name in STYLES)),  # noqa: S704 - a file of ours
            script=Markup(script),  # noqa: S704 - a file of ours
            data={key: Markup(to_script(content)) for key, content in data.items()},  # noqa: S704 - escaped by to_script
            **context,
        )
        + "\n"
    )
