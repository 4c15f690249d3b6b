"""The `groups.csv` beside the images: found or refused, and matched with the files."""

import logging
from collections.abc import Sequence

from pneumonia.base.errors import UserError
from pneumonia.images.grouping import GROUPS_FILE, read_groups
from pneumonia.images.layout import SIDE_FILES, ImageFile, Listing
from pneumonia.images.matching import RowFit, match_paths
from pneumonia.images.source import ImageSource
from pneumonia.images.tables import SPREADSHEETS, SUFFIXES, Table, read_variants

logger = logging.getLogger(__name__)


def read_groups_beside(source: ImageSource) -> dict[str, str] | None:
    """Return the group of each file that a `groups.csv` lists, by path; None without such a table."""
    content = source.read_side_file(GROUPS_FILE)
    if content is None:
        return None
    found = [_match_groups(table, source.listing.files) for table in read_variants(content, GROUPS_FILE)]
    groups = max(found, key=len)  # in the right encoding, most paths fit
    logger.info(
        "Groups were read from %s: %s for %s files.", GROUPS_FILE, f"{len(set(groups.values())):,}", f"{len(groups):,}"
    )
    return groups


def _match_groups(table: Table, files: Sequence[ImageFile]) -> dict[str, str]:
    listed = read_groups(table)
    pairs = zip(match_paths(list(listed), files), listed.values(), strict=True)
    return {match.files[0].path: group for match, group in pairs if len(match.files) == 1 and match.fit <= RowFit.ALIKE}


def refuse_near_misses(listing: Listing) -> None:
    """Refuse a `groups.csv` that would be passed over: of another name or form, in a class folder, or unreadable.

    Raises:
        UserError: Naming it, and what to do.
    """
    for path in (*listing.tables, *(file.path for file in listing.files if file.problem)):
        name = path.rpartition("/")[2]
        start, _, suffix = name.lower().partition(".")
        meant = f"{start}.csv" if f".{suffix}" in (*SUFFIXES, *SPREADSHEETS) else ""
        if meant in SIDE_FILES and (name not in SIDE_FILES or name not in listing.side_files):
            raise UserError(
                f"{path} would not be used: {meant} must have exactly this name, be a readable file, and be in "
                "the folder of the images, above the class folders. Move, rename or remove it; save a table of "
                "another form as CSV."
            )
