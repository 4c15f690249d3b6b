"""Fills the templates of the report and of the model card."""

import re
import shlex
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pneumonia.metrics.metrics import METRIC_NAMES
from pneumonia.report import words

if TYPE_CHECKING:
    from jinja2 import Environment

# What Markdown reads as markup; an underscore between letters is not.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|&]|(?<!\w)_|_(?!\w)")


def render(template: str, **material: Any) -> str:
    """Fill a template of `pneumonia/report/templates`.

    Args:
        template: File name. Inserted text is escaped, as HTML or as Markdown, unless it is marked as safe.
        **material: The names used in the template; a missing name is an error, not a gap.
    """
    return make_environment(template).get_template(template).render(**material)


def make_environment(template: str) -> "Environment":
    """Return the environment of a template: its loader and filters."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = files("pneumonia.report") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=template.endswith(".html"),
        finalize=escape_markdown if template.endswith(".md") else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "bounds": words.say_bounds,
        "cell": say_cell,
        "command": words.say_command,
        "code": code_span,
        "interval": words.say_interval,
        "number": words.say_number,
        "percent": words.say_percent,
        "share_beside": words.say_share_beside,
        "share_bounds": words.say_share_bounds,
        "share_interval": words.say_share_interval,
        "set_share": words.say_set_share,
        "shell": shlex.quote,
        "threshold": words.say_threshold,
        "png": words.png_uri,
        "words": lambda name: str(name).replace("_", " "),
    }
    environment.globals["METRIC_NAMES"] = METRIC_NAMES
    return environment


def escape_markdown(value: Any) -> Any:
    """Escape text for Markdown, on one line, such as the name of a class that a user chose.

    >>> escape_markdown("<b> | *NORMAL* a_b")
    '\\\\<b\\\\> \\\\| \\\\*NORMAL\\\\* a_b'
    """
    if not isinstance(value, str) or hasattr(value, "__html__"):  # numbers, and what is marked as safe
        return value
    return _MARKDOWN.sub(r"\\\g<0>", value.replace("\n", " "))


def code_span(value: Any) -> Any:
    """Return text as a Markdown code span, whatever it contains.

    >>> code_span("kedro run")
    Markup('`kedro run`')
    """
    from jinja2.filters import do_mark_safe

    text = str(value).replace("\n", " ")
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return do_mark_safe(f"{fence}{space}{text}{space}{fence}")


def say_cell(value: Any) -> str:
    """Format a value of a table: integers with thousands separators, others as `say_number`, gaps as a dash."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:,.0f}" if float(value).is_integer() and abs(float(value)) > 1 else words.say_number(value)
    return str(value)
