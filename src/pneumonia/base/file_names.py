"""How the names of files are read."""

import codecs
import sys


def tell_encoding_problem(encoding: str | None = None) -> str | None:
    """Say why the names of files cannot be trusted to be read as they are.

    In another encoding than UTF-8 a name with an umlaut is neither found by the path that was given nor can it be
    written into tables, which are UTF-8. Python uses UTF-8 unless a locale of another encoding, or `PYTHONUTF8=0`, is
    set; it cannot change this once it runs.

    Args:
        encoding: Of the names; that of this process where None.

    Returns:
        What is wrong and what to do; None where names are read as UTF-8.
    """
    encoding = encoding or sys.getfilesystemencoding()
    if codecs.lookup(encoding).name == "utf-8":
        return None
    return (
        f"Names of files are read as {encoding} here, so that images whose path has an umlaut would be lost. "
        "Set the environment variable PYTHONUTF8=1 and run again."
    )
