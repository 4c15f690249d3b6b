"""Runs pipelines from the installed package: `python -m pneumonia --conf-source=conf-pneumonia.tar.gz --env=demo`."""

import contextlib
import os
import sys
import tarfile

from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.cli.project import run
from kedro.framework.project import LOGGING, configure_project

from pneumonia.datasets.command import INSTALLED


def main(arguments: list[str] | None = None) -> None:
    """Run what `kedro run` would run, without a checkout.

    Args:
        arguments: Options of `kedro run`; if None, those of the command line.
    """
    given = sys.argv[1:] if arguments is None else arguments
    configure_project("pneumonia")
    conf_source = run.make_context(INSTALLED, [*given], resilient_parsing=True).params["conf_source"]
    if conf_source and "KEDRO_LOGGING_CONFIG" not in os.environ:
        _log_as_configured(conf_source)
    run.main(given, prog_name=INSTALLED)


def _log_as_configured(conf_source: str) -> None:
    """Log as logging.yml of the configuration says, which Kedro seeks in `conf` of the current folder alone."""
    try:
        loader = OmegaConfigLoader(conf_source, config_patterns={"logging": ["logging.yml"]})
    except (tarfile.TarError, EOFError, OSError) as error:
        sys.exit(f"Error: {conf_source} cannot be read ({error}). Copy the archive of the configuration again.")
    with contextlib.suppress(MissingConfigException):
        LOGGING.configure(loader["logging"])


if __name__ == "__main__":
    main()
