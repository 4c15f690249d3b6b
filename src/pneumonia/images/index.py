"""The image index: one row per image file, with its hash, its status and, for 16-bit and DICOM files, its range."""

import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import pandas as pd

from pneumonia.base.engine import LOCAL, map_all
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.base.progress import follow
from pneumonia.base.study_parameters import NONE, EngineParameters
from pneumonia.images import dicom
from pneumonia.images.cache import FileState, IndexCache
from pneumonia.images.depth import LEAST_SHARE, bits_of, choose_bits
from pneumonia.images.dicom_header import LATERAL, ViewWords, is_called_lateral
from pneumonia.images.duplicates import shorten
from pneumonia.images.examine import BETWEEN_NOTES, BLANK, FACTS_VERSION, Facts, Limits, examine_image
from pneumonia.images.grouping import GROUPS_FILE, UNKNOWN_ETIOLOGY, PatientKey, etiology_of, group_of
from pneumonia.images.groups_file import read_groups_beside, refuse_near_misses
from pneumonia.images.label_rows import LabelRow
from pneumonia.images.layout import ImageFile, may_be_dicom
from pneumonia.images.patience import UnreadableError
from pneumonia.images.source import ImageSource
from pneumonia.images.status import LEFT_OUT, OK, OTHER, REJECTED

logger = logging.getLogger(__name__)

# The note on an image whose values lie close together.
FAINT = "less than a tenth of the grey levels used"
# Why a file is left out whose view only its name tells.
CALLED_LATERAL = "not a frontal view: called lateral"

INDEX_COLUMNS = (
    "path", "label", "etiology", "group", "source_split", "sha256", "bytes", "width", "height", "mode", "status",
    "reason", "perceptual_hash", "age", "sex", "view", "device", "bits", "site",
)  # fmt: skip

# Files that a thread examines in one go, and that are sent to a cluster in one go.
_CHUNK_FILES = 16
_SENT_FILES = 128
# Files whose facts are saved together: the most that a killed run loses.
_KEPT_AT_ONCE = 512


def examine_files(
    source: ImageSource, cache: IndexCache, parameters: IngestParameters, engine: EngineParameters = LOCAL
) -> dict[str, Facts]:
    """Examine each image file, reading each byte once, on all cores or on a cluster.

    Args:
        source: Where the images are.
        cache: Facts from earlier runs. A file counts as unchanged if its size and modification time are (in a zip: size
            and CRC), unless `rehash` is set.
        parameters: Limits and class names; files with a problem and of unknown classes are not read.
        engine: Where to run. On a cluster, the key for patients' IDs is sent with the files' addresses.

    Returns:
        Facts by path.

    Raises:
        UserError: If interrupted. Facts found so far are kept.
    """
    limits = limits_of(parameters)
    wanted = [file for file in source.listing.files if not _problem_before_reading(file, parameters)]
    if engine.address != NONE or any(_may_name_a_patient(file) for file in wanted):
        cache.patient_key.make()
    key_mark = cache.patient_key.mark()
    with cache.open(source.identity) as kept:
        states = [FileState(file.path, _stamp(file, limits, key_mark)) for file in wanted]
        known = {} if parameters.rehash else {state.path: kept.find(state) for state in states}
        found = {path: facts for path, facts in known.items() if facts is not None and not _asks_for_a_package(facts)}
        missing = [state for state in states if state.path not in found]
        unsaved: list[tuple[FileState, Facts]] = []
        try:
            with closing(_examine(source, missing, limits, cache.patient_key, engine)) as examined:
                for state, facts in examined:
                    found[state.path] = facts
                    if state.stamp and facts.sha256:
                        unsaved.append((state, facts))
                    if len(unsaved) == _KEPT_AT_ONCE:
                        kept.write(unsaved)
                        unsaved = []
        except KeyboardInterrupt as interrupt:
            raise UserError(
                f"Interrupted after {len(found):,} of {len(states):,} images. They are not read again: "
                "the same command resumes from there."
            ) from interrupt
        finally:
            kept.write(unsaved)
        kept.forget_all_but(found.__contains__)
    return found


def _may_name_a_patient(file: ImageFile) -> bool:
    return file.path.lower().endswith(dicom.SUFFIXES) or may_be_dicom(file.path)


def limits_of(parameters: IngestParameters) -> Limits:
    """Return what an image may be."""
    words = ViewWords(parameters.chest_words, parameters.other_words)
    return Limits(parameters.min_side, parameters.max_pixels, words)


def make_index(source: ImageSource, facts: Mapping[str, Facts], parameters: IngestParameters) -> pd.DataFrame:
    """List every image file, before duplicates are marked.

    Returns:
        The columns `INDEX_COLUMNS`, by path. Text columns are empty, and sizes 0, if unknown.

    Raises:
        UserError: If there is a `groups.csv` that does not list every image.
    """
    refuse_near_misses(source.listing)
    if source.remark:
        logger.warning(source.remark)
    listed = read_groups_beside(source)
    told = source.listing.rows
    seen = _with_ranges(facts)
    rows = [
        _row(file, seen.get(file.path), told.get(file.path), _group(file, facts, told, listed, parameters), parameters)
        for file in source.listing.files
    ]
    index = pd.DataFrame(rows, columns=list(INDEX_COLUMNS))
    if listed is not None:
        unlisted = index.loc[(index["status"] == OK) & ~index["path"].isin(listed.keys()), "path"]
        if len(unlisted):
            raise UserError(
                f"{GROUPS_FILE} has no group for {len(unlisted):,} of the images: {shorten(unlisted)}. Its paths must "
                "be relative to the folder of the images, with /."
            )
    return index


class SeenFile(NamedTuple):
    """The facts about a file, and what follows from those about its neighbours: its range and its note."""

    facts: Facts
    bits: int = 0
    note: str = ""


def _with_ranges(facts: Mapping[str, Facts]) -> dict[str, SeenFile]:
    """Add the range of each file whose values do not tell it, and a note if it uses next to nothing of it."""
    open_ones = {path: known.extremes for path, known in facts.items() if known.detector and not known.refusal}
    chosen = choose_bits(open_ones)
    return {path: _with_range(known, chosen.get(path, known.stored)) for path, known in facts.items()}


def _with_range(facts: Facts, bits: int) -> SeenFile:
    own = bits_of([facts.extremes]) if facts.detector and not facts.refusal else bits
    used = (facts.used - 1) * 2.0 ** (abs(own) - abs(bits))
    is_faint = not facts.refusal and BLANK not in facts.note and used < LEAST_SHARE * 255
    return SeenFile(facts, bits, BETWEEN_NOTES.join(filter(None, (facts.note, FAINT if is_faint else ""))))


class FileChunk(NamedTuple):
    """Files that are examined together."""

    source: ImageSource
    paths: tuple[str, ...]
    limits: Limits
    patient_key: PatientKey


def examine_chunk(chunk: FileChunk) -> list[Facts]:
    """Examine each file of a chunk."""
    return [_examine_file(chunk.source, path, chunk.limits, chunk.patient_key) for path in chunk.paths]


def _examine(
    source: ImageSource,
    states: Sequence[FileState],
    limits: Limits,
    patient_key: PatientKey,
    engine: EngineParameters,
) -> Generator[tuple[FileState, Facts]]:
    """Examine files on all cores, or on a cluster, giving them in order."""
    size = _CHUNK_FILES if engine.address == NONE else _SENT_FILES
    parts = [states[start : start + size] for start in range(0, len(states), size)]
    chunks = (FileChunk(source, tuple(state.path for state in part), limits, patient_key) for part in parts)
    with (
        # Pillow's warnings about odd files would hide the run's own messages; what counts is in the index.
        warnings.catch_warnings(action="ignore"),
        follow(len(states), "Reading") as advance,
        closing(map_all(examine_chunk, chunks, engine)) as examined,
    ):
        for part, facts in zip(parts, examined, strict=True):
            yield from zip(part, facts, strict=True)
            advance(len(part))


def _examine_file(source: ImageSource, path: str, limits: Limits, patient_key: PatientKey) -> Facts:
    try:
        return examine_image(source.read(path), path, limits, patient_key.group_of)
    except UnreadableError as error:
        return Facts("", problem=error.message)


def _problem_before_reading(file: ImageFile, parameters: IngestParameters) -> str:
    """Say why a file is not even read."""
    if file.problem or file.left_out:
        return file.problem or file.left_out
    if file.label not in parameters.class_names:
        return f"unknown class {file.label}: class_names are {' and '.join(parameters.class_names)}"
    if file.member.size > parameters.max_file_bytes:
        return f"more than {parameters.max_file_bytes:,} bytes"
    return ""


def _stamp(file: ImageFile, limits: Limits, key_mark: str) -> str:
    """Return what must be the same for earlier facts to hold; empty if that cannot be told."""
    state = file.member.stamp
    return state and "|".join((FACTS_VERSION, key_mark, *map(str, limits), str(file.member.size), state))


def _asks_for_a_package(facts: Facts) -> bool:
    """Tell whether a file was refused for want of a package, which may be installed by now."""
    return dicom.INSTALL in facts.problem


def _row(
    file: ImageFile, seen: SeenFile | None, told: LabelRow | None, group: str, parameters: IngestParameters
) -> tuple[str | int, ...]:
    """Return a row of the index."""
    seen = seen or SeenFile(Facts("", problem=_problem_before_reading(file, parameters)))
    facts = seen.facts
    view = facts.view or (told.view if told else "")
    if not (file.left_out or facts.refusal or view) and is_called_lateral(file.path, parameters.chest_words):
        facts, view = facts._replace(other=CALLED_LATERAL), LATERAL
    is_known = file.label in parameters.class_names
    patterns = parameters.group_patterns
    is_positive = file.label == parameters.positive_class
    return (
        file.path,
        file.label,
        etiology_of(file.path, is_positive, patterns) if is_known else UNKNOWN_ETIOLOGY,
        group,
        file.source_split,
        facts.sha256,
        file.member.size,
        facts.width,
        facts.height,
        facts.mode,
        _status(file, facts),
        facts.refusal or seen.note,
        facts.perceptual_hash,
        facts.age or (told.age if told else ""),
        facts.sex or (told.sex if told else ""),
        view,
        facts.device,
        0 if facts.refusal else seen.bits,
        told.site if told else "",
    )


def _status(file: ImageFile, facts: Facts) -> str:
    if file.left_out and not file.problem:
        return LEFT_OUT
    return REJECTED if facts.problem else OTHER if facts.other else OK


def _group(
    file: ImageFile,
    facts: Mapping[str, Facts],
    told: Mapping[str, LabelRow],
    listed: Mapping[str, str] | None,
    parameters: IngestParameters,
) -> str:
    """Return an image's group: as `groups.csv` says, else the table of labels, the DICOM header, the file name."""
    row, known = told.get(file.path), facts.get(file.path)
    patient = (row.group if row else "") or (known.patient if known and parameters.patient_id == "use" else "")
    return group_of(file.path, parameters.group_patterns, listed, patient)
