"""The error that a user can act on, and addresses in a form that messages and records may show."""

import re
from typing import Any

# Up to the last @ before the path. A key may contain @ or, after a colon that does not begin a port, even a slash.
_USER_INFO = re.compile(r"(?<=://)(?:[^/\s:@]+:(?!\d+/)[^\s'\"]*|[^/\s]+)@")
_QUERY = re.compile(r"(?<=\?)[^\s'\"]+")
HIDDEN = "***"


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
