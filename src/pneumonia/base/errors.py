"""The error that a user can act on, and addresses in a form that messages and records may show."""

import errno
import re
import shlex
from typing import Any

# Up to the last @ before the path. A key may contain @ or, after a colon that does not begin a port, even a slash.
_USER_INFO = re.compile(r"(?<=://)(?:[^/\s:@]+:(?!\d+/)[^\s'\"]*|[^/\s]+)@")
_QUERY = re.compile(r"(?<=\?)[^\s'\"]+")
HIDDEN = "***"

# What a user can do where the operating system refuses to read or write.
_IN_THE_WAY = "Move away what is in its place"
_ADVICE = {
    errno.ENOSPC: "Free some disk space",
    errno.EDQUOT: "Free some disk space",
    errno.EFBIG: "Raise the limit on the size of files",
    errno.EACCES: "Fix the permissions",
    errno.EPERM: "Fix the permissions",
    errno.EROFS: "Make the folder writable",
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENXIO: _IN_THE_WAY,
    errno.ENODEV: _IN_THE_WAY,
    errno.ELOOP: "Remove the link that leads back to itself",
    errno.ENOENT: "Put it back, or remove the link that should lead to it",
    errno.ENAMETOOLONG: "Give it a shorter path",
    errno.EMFILE: "Raise the limit on open files (ulimit -n)",
    errno.ENFILE: "Raise the limit on open files",
    errno.EIO: "Check the disk",
    errno.ESTALE: "Check the connection to the disk",
    errno.EBUSY: "Wait for what uses it",
}


class UserError(Exception):
    """What happened and what to do, in one or two sentences.

    Attributes:
        message: The sentences.
    """

    def __init__(self, message: str) -> None:
        """Keep the message."""
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        """Return the message."""
        return self.message


def as_parameters(text: str) -> str:
    """Return parameters as a shell takes them.

    >>> as_parameters("labels.table=a.csv"), as_parameters("labels.table=my list.csv")
    ('--params=labels.table=a.csv', "--params='labels.table=my list.csv'")
    """
    return f"--params={shlex.quote(text)}"


def can_be_told(error: BaseException) -> bool:
    """Tell whether an error is one of the operating system that a user can do something about."""
    return isinstance(error, OSError) and error.errno in _ADVICE


def explain(error: OSError, path: Any = None) -> str:
    """Say what could not be read or written, why, and what to do.

    >>> explain(IsADirectoryError(21, "Is a directory"), "data/metrics.json")
    'data/metrics.json: Is a directory. Move away what is in its place and run again; no existing data are lost.'
    """
    advice = _ADVICE.get(error.errno or 0, "Check the disk or the connection")
    name = path or error.filename or "A file"
    return f"{name}: {error.strerror or error}. {advice} and run again; no existing data are lost."


def hide_credentials(text: str) -> str:
    """Return a text in which the addresses have neither user and password nor a query, which may be a signature.

    >>> hide_credentials("s3://KEY:SECRET@bucket/set and https://host/set.zip?X-Amz-Signature=abc")
    's3://***@bucket/set and https://host/set.zip?***'
    """
    return _QUERY.sub(HIDDEN, _USER_INFO.sub(f"{HIDDEN}@", text)) if "://" in text else text


def hide_all_credentials(value: Any) -> Any:
    """Return a nested value in which every text is one that may be shown.

    >>> hide_all_credentials({"external": ["s3://KEY:SECRET@bucket/set"], "n": 1})
    {'external': ['s3://***@bucket/set'], 'n': 1}
    """
    if isinstance(value, str):
        return hide_credentials(value)
    if isinstance(value, dict):
        return {key: hide_all_credentials(inner) for key, inner in value.items()}
    return [hide_all_credentials(inner) for inner in value] if isinstance(value, list | tuple) else value
