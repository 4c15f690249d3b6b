"""The checksum of a file, in a file beside it, which shows whether the file has changed since it was written."""

import hashlib
from pathlib import Path

from pneumonia.base.errors import UserError
from pneumonia.base.files import sha256_of_file, write_whole


def checksum_path(path: Path) -> Path:
    """Return the path of a file's checksum."""
    return path.with_name(path.name + ".sha256")


def write_with_checksum(path: Path, content: bytes) -> None:
    """Write the checksum, as `sha256sum --check` reads it, then the file, so that no newest file lacks its checksum."""
    write_whole(checksum_path(path), f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode())
    write_whole(path, content)


def check_as_written(path: Path) -> None:
    """Refuse a file that has changed since it was written.

    Raises:
        UserError: If the checksum is missing or is not that of the file.
    """
    beside = checksum_path(path)
    if not beside.is_file():
        raise UserError(
            f"{path} has no checksum, so it cannot be checked for damage. If you trust it: "
            f"sha256sum {path.name} > {beside.name} (in its folder)."
        )
    said = beside.read_bytes().split()[:1]
    if said != [sha256_of_file(path).encode()]:
        raise UserError(
            f"{path} has changed since it was written: it was truncated or edited. Remove its version folder and run "
            f"again, or, if you edited it on purpose: sha256sum {path.name} > {beside.name}."
        )
