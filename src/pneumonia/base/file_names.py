"""The encoding in which file names are read."""

import codecs
import sys


def tell_encoding_problem(encoding: str | None = None) -> str | None:
    """Say why file names may be misread.

    In any encoding but UTF-8, a file whose name has an umlaut is not found by the path given, and its name cannot be
    written to tables, which are UTF-8. Python uses UTF-8 unless a locale with another encoding, or `PYTHONUTF8=0`, is
    set; this cannot be changed while Python runs.

    Args:
        encoding: That of file names; if None, that of this process.

    Returns:
        What is wrong and what to do; None if names are read as UTF-8.
    """
    encoding = encoding or sys.getfilesystemencoding()
    if codecs.lookup(encoding).name == "utf-8":
        return None
    return (
        f"File names are read as {encoding} here, so images whose path has an umlaut would be lost. "
        "Set the environment variable PYTHONUTF8=1 and run again."
    )
