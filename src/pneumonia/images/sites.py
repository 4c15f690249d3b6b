"""Images of several places, each with a source and settings of its own, as one source.

The name of a place, its site, comes before every path and every group of its images: what two places happen to call
the same stays apart. Images of one source have no site, unless a table of labels names some.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Any

import pandas as pd

from pneumonia.base.parameters import IngestParameters, LabelsParameters, SourceParameters
from pneumonia.images.layout import ImageFile, Listing
from pneumonia.images.patience import UnreadableError
from pneumonia.images.source import ImageSource
from pneumonia.images.status import COPY_OF, DUPLICATE
from pneumonia.images.tables import find_named, read_table, spelling

SITE = "site"


class Sites(ImageSource):
    """Several sources by name. A path is that of its source, behind the name and a slash.

    >>> Sites({"a": ImageSource("one.zip"), "b": ImageSource("two")}).address
    'a: one.zip, b: two'
    """

    def __init__(self, sources: Mapping[str, ImageSource]) -> None:
        """Take the sources; nothing is opened yet."""
        self.sources = dict(sources)
        self.address = ", ".join(f"{name}: {source.address}" for name, source in self.sources.items())

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as the sources do."""
        return Sites, (self.sources,)

    @cached_property
    def identity(self) -> str:
        """The full addresses, by name."""
        return ", ".join(f"{name}: {source.identity}" for name, source in self.sources.items())

    @property
    def name(self) -> str:
        """The names of the places, joined by a plus sign."""
        return "+".join(self.sources)

    @property
    def remark(self) -> str:
        """What must be known of the images of any place."""
        return " ".join(source.remark for source in self.sources.values() if source.remark)

    @cached_property
    def listing(self) -> Listing:
        """The files of all places."""
        listings = {name: source.listing for name, source in self.sources.items()}
        junk = pd.DataFrame([listing.junk for listing in listings.values()]).sum().astype(int).to_dict()
        return Listing(
            files=tuple(chain.from_iterable(map(_inside(name), one.files) for name, one in listings.items())),
            junk={str(kind): int(count) for kind, count in junk.items()},
            side_files={f"{name}/{file}": it for name, one in listings.items() for file, it in one.side_files.items()},
            others=tuple(f"{name}/{path}" for name, one in listings.items() for path in one.others),
        )

    @cached_property
    def unlabelled(self) -> tuple[ImageFile, ...]:
        """Every image file of all places."""
        return tuple(chain.from_iterable(map(_inside(name), one.unlabelled) for name, one in self.sources.items()))

    def read(self, path: str) -> bytes:
        """Read an image file.

        Raises:
            UnreadableError: If it cannot be read, or its size has changed since it was listed.
        """
        name, _, inner = path.partition("/")
        if name not in self.sources:
            raise UnreadableError(f"There is no image {path} at {self.address}.")
        return self.sources[name].read(inner)

    def read_file(self, file: ImageFile) -> bytes:
        """Read a file of the listing."""
        return self.read(file.path)

    def read_side_file(self, name: str) -> bytes | None:
        """Join the side files of this name of all places; their column `path` gets the names. None if there is none.

        Raises:
            UserError: If one is no table, or has no such column.
        """
        rows: list[dict[str, str]] = []
        for site, source in self.sources.items():
            content = source.read_side_file(name)
            if content is not None:
                table = read_table(content, f"{site}/{name}")
                (path,) = find_named(table, f"{site}/{name}", ["path"])
                told = [{spelling(column): cell for column, cell in row.items()} for row in table.rows]
                rows += [{**row, "path": f"{site}/{one[path]}"} for row, one in zip(told, table.rows, strict=True)]
        return pd.DataFrame(rows).to_csv(index=False).encode() if rows else None


def _inside(site: str) -> Callable[[ImageFile], ImageFile]:
    return lambda file: replace(file, path=f"{site}/{file.path}")


def sources_of(images: ImageSource) -> dict[str, ImageSource]:
    """Return the sources by site; one without sites has the name ""."""
    return images.sources if isinstance(images, Sites) else {"": images}


def settings_of(
    site: str, ingest: IngestParameters, labels: LabelsParameters, sources: Mapping[str, Any]
) -> tuple[IngestParameters, LabelsParameters]:
    """Return how the images of a site are read: as `sources.<site>` says, otherwise as `ingest` and `labels` say."""
    return SourceParameters.model_validate(sources.get(site, {})).over(ingest, labels)


def place(index: pd.DataFrame, site: str, own: IngestParameters, ingest: IngestParameters) -> pd.DataFrame:
    """Put the index of one source among those of others: paths and groups of its site, labels of the project's classes.

    Args:
        index: Of the source, as `pneumonia.images.index.make_index` gives it.
        site: Its name; "" leaves paths and groups as they are.
        own: The names of its classes.
        ingest: Those of the project.
    """
    if not site:
        return index
    classes = {own.negative_class: ingest.negative_class, own.positive_class: ingest.positive_class}
    copies = index["reason"].str.startswith(COPY_OF) & (index["status"] == DUPLICATE)
    return index.assign(
        path=site + "/" + index["path"],
        label=index["label"].map(lambda label: classes.get(label, label)),
        group=f"{site}/" + index["group"],
        reason=index["reason"].where(~copies, index["reason"].str.replace(COPY_OF, f"{COPY_OF}{site}/", n=1)),
        **{SITE: site},
    )


def cells_of(rows: pd.DataFrame) -> pd.Series:
    """Return what an image's weight depends on: its class, and its site if there are several (`site: class`)."""
    return rows[SITE] + ": " + rows["label"] if SITE in rows else rows["label"]
