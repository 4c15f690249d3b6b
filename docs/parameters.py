"""Write the descriptions of the parameters where people read them: docs/parameters.md and conf/base/parameters*.yml.

They stand below the fields in src/pneumonia/base/*parameters.py.

    python docs/parameters.py
"""

import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from pydantic.fields import FieldInfo

from pneumonia.base.parameters import Group, Parameters

PROJECT = Path(__file__).parents[1]
WIDTH = 120
KEY = re.compile(r"^( *)(\w+):(.*)$")


def main() -> None:
    """Write the files again."""
    page = PROJECT / "docs/parameters.md"
    page.write_text(write_page(page.read_text(encoding="utf-8"), read_defaults()), encoding="utf-8")
    for path in (PROJECT / "conf/base").glob("parameters*.yml"):
        path.write_text(write_comments(path.read_text(encoding="utf-8")), encoding="utf-8")


def read_defaults() -> dict[str, Any]:
    """Return the parameters of conf/base."""
    return OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]


def write_page(page: str, defaults: Mapping[str, Any]) -> str:
    """Return the page with a table for each group below its introduction, which stays."""
    sections = [page.partition("\n## ")[0].rstrip() + "\n"]
    for name, field in Parameters.model_fields.items():
        group = group_of(field)
        rows = list_rows(group, defaults[name], f"{name}.") if group else [row_of(name, field, defaults[name])]
        sections += [
            f"## {name.capitalize()}\n",
            *([f"{summary_of(group)}\n"] if group else []),
            "| parameter | default | unit or values | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n",
        ]
    return "\n".join(sections)


def list_rows(group: type[Group], defaults: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Give the rows of the table for a group, and for the groups in it."""
    for name, field in group.model_fields.items():
        inner = group_of(field)
        if inner:
            yield from list_rows(inner, defaults[name], f"{prefix}{name}.")
        else:
            yield row_of(prefix + name, field, defaults[name])


def row_of(name: str, field: FieldInfo, default: Any) -> str:
    """Return the row of a parameter."""
    text, unit = text_and_unit(field)
    value = yaml.safe_dump(default, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    if typing.get_origin(field.annotation) is typing.Literal:
        unit = ", ".join(f"`{choice}`" for choice in typing.get_args(field.annotation))
    elif field.annotation is bool:
        unit = "true, false"
    cells = " | ".join(cell.replace("|", "\\|") for cell in (f"`{name}`", f"`{value}`", unit, text.removesuffix(".")))
    return f"| {cells} |"


def text_and_unit(field: FieldInfo) -> tuple[str, str]:
    """Part a description from the unit in brackets at its end, which is empty for choices."""
    text = " ".join((field.description or "").split())
    before, _, unit = text.rpartition(" [")
    return (before, unit.removesuffix("]")) if text.endswith("]") else (text, "")


def write_comments(text: str) -> str:
    """Return a YAML file of parameters with each one's description above it, in place of what stood there."""
    described = dict(list_comments(Parameters))
    lines: list[str] = []
    path: list[str] = []
    for line in text.splitlines():
        match = KEY.match(line)
        if match:
            indent, name, value = match.groups()
            path = [*path[: len(indent) // 2], name]
            if ".".join(path) in described:
                while lines and lines[-1].lstrip().startswith("#"):
                    lines.pop()
                lines += textwrap.wrap(
                    described[".".join(path)], WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ",
                    break_long_words=False, break_on_hyphens=False,
                )  # fmt: skip
                line = f"{indent}{name}:{re.sub(r' +# .*', '', value)}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def list_comments(group: type[Group], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give each parameter, and each group, with the comment that belongs above it."""
    for name, field in group.model_fields.items():
        inner = group_of(field)
        if inner:
            yield prefix + name, summary_of(inner)
            yield from list_comments(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, " ".join((field.description or "").split())


def group_of(field: FieldInfo) -> type[Group] | None:
    """Return the group that a field holds; None where it holds a value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Group) else None


def summary_of(group: type[Group]) -> str:
    """Return what a group is for."""
    return (group.__doc__ or "").strip()


if __name__ == "__main__":
    main()
