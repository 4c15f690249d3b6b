"""Fills the templates of the report and of the model card."""

from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from pneumonia.metrics.metrics import METRIC_NAMES
from pneumonia.report.words import png_uri, say_interval, say_number, say_percent


def render(template: str, **material: Any) -> str:
    """Fill a template of `pneumonia/report/templates`.

    Args:
        template: File name. In `.html` files what is filled in is escaped.
        **material: What the template names; a name that is missing is an error, not a gap.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = files("pneumonia.report") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cell": say_cell,
        "interval": say_interval,
        "number": say_number,
        "percent": say_percent,
        "png": png_uri,
        "words": lambda name: str(name).replace("_", " "),
    }
    environment.globals["METRIC_NAMES"] = METRIC_NAMES
    return environment.get_template(template).render(**material)


def say_cell(value: Any) -> str:
    """Put a value of a table: whole numbers with thousands apart, others with three digits, gaps as a dash."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:,.0f}" if float(value).is_integer() and abs(float(value)) > 1 else f"{value:z.3f}"
    return str(value)
