"""Labels from a table instead of class folders.

`with_labels(source, ingest, labels)` gives a source whose listing has the table's labels, groups and facts of the
patients; paths do not change, so pixels may be read through either source. If there is no table, it returns the source
itself. Every pipeline that needs labels calls it once, before it looks at `source.listing`.

Tables are `labels.csv` beside the images (columns path, label and optionally group, split, age, sex, view), or the
original tables of NIH ChestX-ray14, CheXpert and RSNA, which `pneumonia.images.label_presets` reads.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.label_presets import LabelRow, read_rows
from pneumonia.images.layout import NOT_IN_CLASS_FOLDER, SPLITS, UNSPLIT, ImageFile, Listing
from pneumonia.images.source import ImageSource

AUTO, NO_TABLE = "auto", "none"
LABELS_FILE = "labels.csv"
PROBLEM_COLUMNS = ("kind", "path", "note")

_SPLIT_NAMES = {**{name: name for name in SPLITS}, "valid": "val", "validation": "val"}
_SHOWN = 3


def with_labels(source: ImageSource, ingest: IngestParameters, labels: LabelsParameters) -> ImageSource:
    """Return the source with the labels of its table, or the source itself if there is none.

    Rows without a file, files without a row, repeated rows and unknown labels are in `listing.label_problems`, with the
    columns `PROBLEM_COLUMNS`; such files are left out, not rejected.

    Raises:
        UserError: If the table cannot be read, matches none of the files, or gives none a label.
    """
    content = _read_table(source, labels)
    if content is None:
        return source
    rows = read_rows(content, ingest, labels)
    return source.with_listing(_label(source.listing, rows, source.address))


def _read_table(source: ImageSource, labels: LabelsParameters) -> bytes | None:
    """Return the table's bytes: beside the images, or at a path of its own; None if there is none."""
    if labels.table == NO_TABLE:
        return None
    name = LABELS_FILE if labels.table == AUTO else labels.table
    content = source.read_table(name)
    if content is not None or labels.table == AUTO:
        return content
    try:
        return Path(name).expanduser().read_bytes()
    except OSError as error:
        raise UserError(
            f"The table of labels {name} is neither among the images at {source.address} nor a readable file "
            f"({error.strerror}). Set labels.table."
        ) from error


def _label(listing: Listing, rows: Sequence[LabelRow], address: str) -> Listing:
    """Return the listing with the labels of the rows."""
    files = _by_name(listing.files)
    problems: list[tuple[str, str, str]] = []
    chosen: dict[str, LabelRow] = {}
    doubled: set[str] = set()
    for row in rows:
        fitting = _fitting(row.path, files)
        if len(fitting) != 1:
            note = "no file of that name" if not fitting else f"fits {len(fitting)} files"
            problems.append(("row without a file", row.path, note))
            continue
        path = fitting[0].path
        known = chosen.setdefault(path, row)
        if known is not row and not row.may_repeat:
            problems.append(("repeated row", path, "same label" if known.label == row.label else "under two labels"))
        if known.label != row.label:
            doubled.add(path)
    if not chosen:
        raise UserError(
            f"None of the {len(rows):,} rows of the table of labels names a file at {address}: the table has "
            f"{', '.join(row.path for row in rows[:_SHOWN]) or 'no rows'}; the files are "
            f"{', '.join(file.path for file in listing.files[:_SHOWN])}."
        )
    for path in doubled:
        chosen[path] = replace(chosen[path], label="", reason="two labels in the table")
    if not any(row.label for row in chosen.values()):
        reasons = [f"{path} ({row.reason})" for path, row in list(chosen.items())[:_SHOWN]]
        raise UserError(f"The table of labels gives no file a usable label: {', '.join(reasons)}. Set labels.*.")
    labelled = tuple(_with_row(file, chosen.get(file.path)) for file in listing.files)
    problems += [(_kind(file, chosen), file.path, file.left_out) for file in labelled if file.left_out]
    return replace(listing, files=labelled, rows=chosen, label_problems=tuple(sorted(problems)))


def count_problems(problems: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    """Count the problems of a table by kind."""
    return dict(sorted(Counter(kind for kind, _, _ in problems).items()))


def _kind(file: ImageFile, chosen: dict[str, LabelRow]) -> str:
    return "unused label" if file.path in chosen else "file without a row"


def _with_row(file: ImageFile, row: LabelRow | None) -> ImageFile:
    """Return a file as its row says."""
    problem = "" if file.problem == NOT_IN_CLASS_FOLDER else file.problem
    if row is None:
        return replace(file, label="", problem=problem, left_out="no row in the table of labels")
    given = row.split.strip().lower()
    split = _SPLIT_NAMES.get(given, UNSPLIT) if given else file.source_split
    return replace(file, label=row.label, source_split=split, problem=problem, left_out=row.reason)


def _by_name(files: Iterable[ImageFile]) -> dict[str, list[ImageFile]]:
    """Return the files by their name, with and without suffix."""
    found: dict[str, list[ImageFile]] = defaultdict(list)
    for file in files:
        name = PurePosixPath(file.path).name
        for key in {name, PurePosixPath(name).stem}:
            found[key].append(file)
    return found


def _fitting(path: str, files: dict[str, list[ImageFile]]) -> list[ImageFile]:
    """Return the files whose path ends as the row's does, or the other way round; those of the very path go first."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    candidates = files.get(parts[-1], []) if parts else []
    exact = [file for file in candidates if path in (file.path, file.member.name)]
    return exact or [file for file in candidates if _ends_alike(parts[:-1], PurePosixPath(file.member.name).parts[:-1])]


def _ends_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether the shorter of two lists of folders is the end of the longer."""
    length = min(len(one), len(other))
    return one[len(one) - length :] == other[len(other) - length :]
