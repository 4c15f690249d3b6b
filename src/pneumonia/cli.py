"""Commands of this project besides Kedro's own: `kedro versions list` and `kedro versions prune`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import env_option

from pneumonia.runs.errors import plainly

if TYPE_CHECKING:
    import pandas as pd


@click.group(name="pneumonia")
def cli() -> None:
    """Commands of this project."""


@cli.group()
def versions() -> None:
    """List and prune the saved versions of manifests, models, metrics and reports."""


@versions.command("list")
@env_option
@plainly
def list_versions(env: str | None) -> None:
    """Show each saved version with its size, the newest first."""
    from pneumonia.runs.pruning import summarise_versions

    found, _ = _find(env)
    if found.empty:
        click.echo("Nothing is saved yet.")
        return
    click.echo(summarise_versions(found).to_string(index=False))
    click.echo(f"{found['version'].nunique()} versions, {found['bytes'].sum() / 1e6:,.1f} MB")


@versions.command()
@click.option("--keep", type=click.IntRange(min=1), required=True, help="How many versions of each dataset to keep.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@env_option
@plainly
def prune(keep: int, yes: bool, env: str | None) -> None:
    """Remove what killed runs left, and old versions.

    Run records stay, and what a remaining version was made from, or a run in progress reads.
    """
    from pneumonia.base.errors import UserError
    from pneumonia.base.files import find_leftovers
    from pneumonia.runs.in_progress import find_runs
    from pneumonia.runs.pinning import outputs_by_stage
    from pneumonia.runs.pruning import choose_removable, remove, size_of, summarise_versions

    found, root = _find(env)
    running = find_runs(root)
    old = choose_removable(found, keep, outputs_by_stage(), running)
    leftovers = [path for path in find_leftovers(root) if path.parent not in set(old["path"])]
    if old.empty and not leftovers:
        click.echo("Nothing to remove.")
        return
    if not old.empty:
        click.echo(summarise_versions(old).to_string(index=False))
    megabytes = (old["bytes"].sum() + sum(size_of(path) for path in leftovers)) / 1e6
    what = f"{len(old)} datasets" + (f" and {len(leftovers)} unfinished files from killed runs" if leftovers else "")
    if not yes:
        click.confirm(f"Remove these {what} ({megabytes:,.1f} MB) permanently?", abort=True)
    if find_runs(root).keys() - running.keys():
        raise UserError("A run has begun meanwhile. Nothing was removed: prune again, without what that run reads.")
    try:
        remove([*leftovers, *old["path"]])
    except OSError as error:
        raise UserError(
            f"Could not remove {error.filename}: {error.strerror}. The rest can be pruned again."
        ) from error
    click.echo(f"Removed {megabytes:,.1f} MB.")


def _find(env: str | None) -> "tuple[pd.DataFrame, Path]":
    """Find the versions of an environment, and the folder of its data."""
    from kedro.framework.project import pipelines
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project
    from kedro.io import CatalogConfigResolver
    from kedro.utils import find_kedro_project

    from pneumonia.runs.pruning import find_all_versions

    project = find_kedro_project(Path.cwd())
    bootstrap_project(project)
    session: Any = KedroSession.create(project_path=project, env=env)
    with session:
        loader = session.load_context().config_loader
    entries, root = loader["catalog"], project / loader["globals"]["root"]
    named = set().union(*(pipeline.datasets() for pipeline in pipelines.values()))
    catalog = CatalogConfigResolver(entries)  # some entries stand for several datasets
    return find_all_versions({name: catalog.resolve_pattern(name) for name in sorted(named)}, project), root
