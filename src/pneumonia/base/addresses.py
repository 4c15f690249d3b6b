"""Addresses in a form that may be shown: without passwords, keys and signatures."""

import re

_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"(?<=\?)[^\s'\"]+")
HIDDEN = "***"


def hide_credentials(text: str) -> str:
    """Return a text in which the addresses have neither user and password nor a query, which may be a signature.

    >>> hide_credentials("s3://KEY:SECRET@bucket/set and https://host/set.zip?X-Amz-Signature=abc")
    's3://***@bucket/set and https://host/set.zip?***'
    """
    return _QUERY.sub(HIDDEN, _USER_INFO.sub(f"{HIDDEN}@", text)) if "://" in text else text
