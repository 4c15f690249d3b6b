"""Images in Parquet files, as Hugging Face publishes them: a column of bytes, a label, and what else there is of each.

Rows are read by row groups, of which only the last few are held in memory.
"""

import csv
import io
import json
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from threading import Lock
from typing import Any, BinaryIO, NamedTuple

from pneumonia.base.errors import UserError
from pneumonia.images.members import CRC_STAMP, LABELS_FILE, ListedFile, name_problem, printable
from pneumonia.images.patience import UnreadableError
from pneumonia.images.words import split_in

SUFFIX = ".parquet"
MAGIC = b"PAR1"

# Bytes of row groups that are held in memory, and rows that are listed at a time.
_HELD_BYTES = 500_000_000
_BATCH = 64
# What the bytes of images begin with, and their suffix.
_SUFFIXES = ((b"\xff\xd8", ".jpeg"), (b"\x89PNG", ".png"), (b"BM", ".bmp"), (b"GIF8", ".gif"), (b"II*", ".tiff"),
             (b"MM\0*", ".tiff"), (b"RIFF", ".webp"))  # fmt: skip


class ParquetPosition(NamedTuple):
    """Where an image is: file, row group and row in it."""

    file: int
    group: int
    row: int


class ParquetStorage:
    """The images of Parquet files as files in folders of their split and label, such as `train/NORMAL/1.jpeg`.

    A `labels.csv` beside them has the other columns, with labels by the names that the file gives them.
    """

    remark = ""

    def __init__(self, identity: str, files: Sequence[tuple[str, BinaryIO]]) -> None:
        """Open the files.

        Args:
            identity: Their address in full.
            files: Name and content of each.

        Raises:
            UserError: If pyarrow is missing, one is damaged, or none has a column of images.
        """
        self.identity, self._lock = identity, Lock()
        self._held: OrderedDict[tuple[int, int], Any] = OrderedDict()
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise UserError(
                f'{identity} is Parquet, which needs another package: pip install -c constraints.txt -e ".[parquet]".'
            ) from error
        self._errors: tuple[type[Exception], ...] = (pyarrow.ArrowException, OSError, ValueError)
        try:
            self._files = [pyarrow.parquet.ParquetFile(file) for _, file in files]
        except self._errors as error:
            raise UserError(f"{identity} is not a complete Parquet file ({error}). Download it again.") from error
        self._names = [name for name, _ in files]
        self._schema = self._files[0].schema_arrow
        self._image = _find_images(self._schema, identity)
        self._classes = [_find_classes(file.schema_arrow) for file in self._files]
        self._table: bytes = b""

    def members(self) -> Iterator[ListedFile]:
        """List every image, and the table of their other columns.

        Raises:
            UserError: If a file is damaged.
        """
        rows: list[dict[str, str]] = []
        seen: Counter[str] = Counter()
        for place, image, values in self._rows():
            data, path = _content(image), self._path(place, image, values)
            seen[path] += 1
            if seen[path] > 1:
                folder, _, name = path.rpartition("/")
                path = "/".join(filter(None, (folder, str(seen[path]), name)))
            rows.append({"path": path} | {key: value for key, value in values.items() if key != "path"})
            problem = name_problem(path) if data else "no bytes of an image"
            yield ListedFile(printable(path), place, len(data), f"{CRC_STAMP}{zlib.crc32(data):08x}", problem)
        content = io.StringIO(newline="")
        writer = csv.DictWriter(content, list(rows[0]) if rows else ["path"])
        writer.writeheader()
        writer.writerows(rows)
        self._table = content.getvalue().encode()
        if len(self._schema.names) > 1:
            yield ListedFile(LABELS_FILE, LABELS_FILE, len(self._table))

    def read(self, key: Any, n_bytes: int = -1) -> bytes:
        """Read an image or the table, or its first bytes."""
        content = self._table if key == LABELS_FILE else self._read_image(key)
        return content if n_bytes < 0 else content[:n_bytes]

    def _read_image(self, place: ParquetPosition) -> bytes:
        try:
            return _content(self._row_group(place.file, place.group)[place.row].as_py())
        except self._errors as error:
            raise UnreadableError(f"An image of {self.identity} cannot be read ({error}).") from error

    def _row_group(self, file: int, group: int) -> Any:
        """Return the images of a row group; the last few used are kept."""
        with self._lock:
            if (file, group) not in self._held:
                read = self._files[file].read_row_group(group, columns=[self._image])
                self._held[file, group] = read.column(self._image).combine_chunks()
                while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > _HELD_BYTES:
                    self._held.popitem(last=False)
            self._held.move_to_end((file, group))
            return self._held[file, group]

    def _rows(self) -> Iterator[tuple[ParquetPosition, Any, dict[str, str]]]:
        """Give each row's place, image, and the text of its other columns."""
        others = [
            field.name
            for field in self._schema
            if field.name != self._image and (_is_plain(field.type) or field.name in self._classes[0])
        ]
        for number, file in enumerate(self._files):
            try:
                for group in range(file.num_row_groups):
                    row = 0
                    for batch in file.iter_batches(_BATCH, row_groups=[group], columns=[self._image, *others]):
                        for values in batch.to_pylist():
                            text = {name: _text(self._classes[number].get(name), values[name]) for name in others}
                            yield ParquetPosition(number, group, row), values[self._image], text
                            row += 1
            except self._errors as error:
                raise UserError(f"{self._names[number]} is damaged ({error}). Download it again.") from error

    def _path(self, place: ParquetPosition, image: Any, values: Mapping[str, str]) -> str:
        """Return the path of an image: split, label, and its own name if it has one."""
        called = (image.get("path") or "") if isinstance(image, dict) else ""
        name = PurePosixPath(called.replace("\\", "/")).name or f"{place.file}-{place.group}-{place.row:06d}"
        if not PurePosixPath(name).suffix:
            name += _suffix(_content(image))
        label = next((values[column] for column in self._classes[place.file] if values.get(column)), "")
        parts = (split_in(self._names[place.file]), label.replace("/", "_"), name)
        return "/".join(part for part in parts if part)


def is_parquet(file: BinaryIO) -> bool:
    """Tell whether a file is Parquet, by its content."""
    file.seek(0)
    start = file.read(len(MAGIC))
    file.seek(0)
    return start == MAGIC


def _find_images(schema: Any, identity: str) -> str:
    """Return the column of images: structures with bytes, or the only one of plain bytes."""
    import pyarrow

    is_bytes = (pyarrow.types.is_binary, pyarrow.types.is_large_binary)
    structures = [
        field.name
        for field in schema
        if pyarrow.types.is_struct(field.type) and "bytes" in [inner.name for inner in field.type]
    ]
    plain = [field.name for field in schema if any(check(field.type) for check in is_bytes)]
    found = structures or plain
    if not found:
        raise UserError(
            f"{identity} has no column of images as bytes; it has {', '.join(schema.names)}. Write the images into a "
            "folder and name it: --params=images=FOLDER."
        )
    return next((name for name in found if name.lower() in ("image", "img", "bytes")), found[0])


def _find_classes(schema: Any) -> dict[str, list[str]]:
    """Return the names of the classes of each column that has them in Hugging Face's description of the file."""
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = described.get("info", {}).get("features", {})
        kinds = {
            name: feature.get("feature", feature) for name, feature in features.items() if isinstance(feature, dict)
        }
        return {
            name: list(map(str, feature["names"]))
            for name, feature in kinds.items()
            if feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, AttributeError, TypeError):
        return {}


def _text(names: Sequence[str] | None, value: Any) -> str:
    """Return a value as text: a class by its name, several with bars between them."""
    if isinstance(value, list):
        return "|".join(_text(names, one) for one in value)
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return "" if value is None else str(value)


def _content(image: Any) -> bytes:
    value = image.get("bytes") if isinstance(image, dict) else image
    return value or b""


def _suffix(data: bytes) -> str:
    known = (suffix for start, suffix in _SUFFIXES if data.startswith(start))
    return next(known, ".dcm" if data[128:132] == b"DICM" else "")


def _is_plain(kind: Any) -> bool:
    """Tell whether a column holds text, numbers or truths, or lists of texts."""
    import pyarrow

    types = pyarrow.types
    checks = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
    if types.is_list(kind):
        return bool(types.is_string(kind.value_type))
    return any(check(kind) for check in checks) or (types.is_dictionary(kind) and _is_plain(kind.value_type))
