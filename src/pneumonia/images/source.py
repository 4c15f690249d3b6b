"""The raw images, wherever they are."""

from functools import cached_property, lru_cache
from typing import Any
from uuid import uuid4

from pneumonia.base.errors import UserError, hide_credentials
from pneumonia.images.containers import Storage
from pneumonia.images.layout import ImageFile, Listing, arrange, list_all
from pneumonia.images.members import ListedFile, composed
from pneumonia.images.patience import UnreadableError, read_patiently
from pneumonia.images.storage import open_storage

# Largest table beside the images, in bytes. The one of ChestX-ray14, with 112,120 images, has 8 million.
MAX_TABLE_BYTES = 500_000_000
# How many files a message names.
_SHOWN = 5


class ImageSource:
    """The images at an address: a folder, an archive, a file of MedMNIST, an fsspec address, or `kaggle`.

    Nothing is opened before it is needed, and nothing is ever written. Several threads may call `read` at the same
    time.

    >>> ImageSource("data/01_raw/chest_xray").address
    'data/01_raw/chest_xray'
    """

    def __init__(self, address: str) -> None:
        """Take the address. The displayed form, `address`, has no passwords, keys or signatures."""
        self._given = address
        self.address = hide_credentials(address)

    def __repr__(self) -> str:
        """Name the address."""
        return f"ImageSource({self.address!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as the address, where files are read by path, and listed once for all jobs."""
        return _reopen, (self._given, self._mark)

    @cached_property
    def _mark(self) -> str:
        """Tells this source from one of the same address that was listed at another time."""
        return uuid4().hex

    @cached_property
    def identity(self) -> str:
        """The full address: two sources with the same address are the same."""
        return self._storage.identity

    @property
    def name(self) -> str:
        """What to call the place, where nobody has named it: the last part of the address, without `.zip`."""
        return self.address.rstrip("/").rsplit("/", 1)[-1].removesuffix(".zip")

    @property
    def remark(self) -> str:
        """What anyone who evaluates a model on these images must know; empty if nothing."""
        return self._storage.remark

    @cached_property
    def listing(self) -> Listing:
        """The files there, as they were when first listed.

        Raises:
            UserError: If there is nothing, or no image file.
        """
        listing = arrange(self._storage.members())
        if not listing.files:
            raise UserError(
                f"There is no image file at {self.address}{_say_what_is_there(listing)}. It should contain train, val "
                "and test with a folder for each class, or the class folders themselves: kedro run "
                "--params=images=PATH."
            )
        return listing

    @cached_property
    def unlabelled(self) -> tuple[ImageFile, ...]:
        """Every image file, by path below the address, whatever folder it is in.

        Raises:
            UserError: If there is nothing, or no image file.
        """
        files = list_all(self._storage.members())
        if not files:
            raise UserError(
                f"There is no image file at {self.address}. Name an image, or a folder or zip that contains images: "
                "--params=images=PATH."
            )
        return files

    def read_file(self, file: ImageFile) -> bytes:
        """Read a file of the listing.

        Raises:
            UnreadableError: If it was read whole and its archive is damaged.
            LostError: If it cannot be read, or its size has changed since it was listed.
        """
        return self._read(file.member)

    def read(self, path: str) -> bytes:
        """Read an image file, given its path as in the listing.

        Raises:
            UnreadableError: If it was read whole and its archive is damaged.
            LostError: If it cannot be read, or its size has changed since it was listed.
        """
        file = self._files.get(path)
        if file is None:
            raise UnreadableError(f"There is no image {path} at {self.address}.")
        return self._read(file.member)

    def read_side_file(self, name: str) -> bytes | None:
        """Read a known side file such as `groups.csv`; None if there is none.

        Raises:
            UserError: If it cannot be read, or is too large for such a file.
        """
        member = self.listing.side_files.get(name)
        return None if member is None else self._read_bounded(member)

    def read_table(self, name: str) -> bytes | None:
        """Read the table with a name or path among the files, the one nearest to the top; None if there is none.

        Without a table of this very name, one whose name differs only in case is read.

        Raises:
            UserError: If it cannot be read, or is too large for such a file.
        """
        tables = self.listing.tables
        for alike in (composed, lambda text: composed(text).lower()):
            wanted = f"/{alike(name)}"
            fitting = [path for path in tables if f"/{alike(path)}".endswith(wanted)]
            if fitting:
                return self._read_bounded(tables[min(fitting, key=lambda path: (path.count("/"), path))])
        return None

    def read_start(self, file: ImageFile, n_bytes: int) -> bytes:
        """Read the first bytes of a file of the listing; -1 for all of it.

        Raises:
            UserError: If it cannot be read.
        """
        return self._read(file.member, n_bytes)

    def with_listing(self, listing: Listing) -> "ImageSource":
        """Return the same source with another listing, such as one with the labels of a table."""
        other = ImageSource(self._given)
        other.__dict__.update(_storage=self._storage, listing=listing, _mark=self._mark)
        return other

    @cached_property
    def _storage(self) -> Storage:
        return open_storage(self._given)

    @cached_property
    def _files(self) -> dict[str, ImageFile]:
        return {file.path: file for file in self.listing.files}

    def _read_bounded(self, member: ListedFile) -> bytes:
        if member.size > MAX_TABLE_BYTES:
            raise UserError(
                f"{member.name} has {member.size / 1e6:,.0f} MB, more than the limit of {MAX_TABLE_BYTES / 1e6:,.0f} "
                "MB for a table. Rename or remove it."
            )
        return self._read(member)

    def _read(self, member: ListedFile, n_bytes: int = -1) -> bytes:
        size = member.size if n_bytes < 0 else min(n_bytes, member.size)
        return read_patiently(member.name, lambda: self._storage.read(member.key, n_bytes), size)


def _say_what_is_there(listing: Listing) -> str:
    """Name the files of a place without images, which may hold them in a form that is not read."""
    found = [*listing.others[:_SHOWN], *(f"{count:,} x {kind}" for kind, count in listing.junk.items())]
    advice = "unpack archives, write images of other forms as PNG into a folder, repeat unfinished downloads"
    return f", but {', '.join(found)}: {advice}" if found else ""


@lru_cache(maxsize=4)
def _reopen(address: str, mark: str) -> ImageSource:
    """Return the source at an address, the same one each time that it arrives with the same mark."""
    return ImageSource(address)
