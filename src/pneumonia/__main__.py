"""Runs pipelines from the installed package: `python -m pneumonia --conf-source=FOLDER --env=demo`."""

import sys

from kedro.framework.cli.project import run
from kedro.framework.project import configure_project


def main(arguments: list[str] | None = None) -> None:
    """Do what `kedro run` does, without a checkout.

    Args:
        arguments: Options of `kedro run`; those of the command line where None.
    """
    configure_project("pneumonia")
    run.main(arguments if arguments is not None else sys.argv[1:], prog_name="python -m pneumonia")


if __name__ == "__main__":
    main()
