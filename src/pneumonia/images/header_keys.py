"""The values in DICOM headers by which a table of labels may name files: accession numbers, UIDs, patients' IDs.

They are compared and forgotten: none of them is written or shown.
"""

import io
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pneumonia.base.errors import UserError
from pneumonia.images import dicom
from pneumonia.images.dicom_start import is_dicom, readable
from pneumonia.images.layout import ImageFile
from pneumonia.images.matching import tidy_key
from pneumonia.images.status import RefusedError

logger = logging.getLogger(__name__)

KEYWORDS = {
    "sop_uid": "SOPInstanceUID",
    "accession": "AccessionNumber",
    "patient": "PatientID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
}
# The last of these elements. What follows, up to the pixels, is not read.
_LAST = 0x0020000E
# Bytes at the beginning of a file that contain them, but for odd files, which are read in full.
_START_BYTES = 65_536

Headers = dict[str, dict[str, Sequence[ImageFile]]]


def read_headers(files: Iterable[ImageFile], read: Callable[[ImageFile, int], bytes]) -> Headers:
    """Return the DICOM files by each kind of key and its value, as `tidy_key` writes it.

    Args:
        files: Files of any kind.
        read: Reads the first bytes of a file, or with -1 all of it.

    Raises:
        UserError: If there are DICOM files but pydicom is not installed.
    """
    listed = list(files)
    logger.info("Reading the headers of %s files for the table of labels.", f"{len(listed):,}")
    found: dict[str, dict[str, list[ImageFile]]] = {kind: defaultdict(list) for kind in KEYWORDS}
    with ThreadPoolExecutor() as threads:
        for file, keys in zip(listed, threads.map(lambda file: _keys_of(file, read), listed), strict=True):
            for kind, key in keys.items():
                found[kind][key].append(file)
    return {kind: dict(by_key) for kind, by_key in found.items()}


def _keys_of(file: ImageFile, read: Callable[[ImageFile, int], bytes]) -> dict[str, str]:
    """Return the keys in a file's header, by kind; none for other files and damaged ones, which are named later."""
    start = read(file, _START_BYTES)
    if not is_dicom(start):
        return {}
    dataset, is_complete = _parse(start)
    if not is_complete and len(start) == _START_BYTES:
        dataset, _ = _parse(read(file, -1))
    texts = {kind: str(dataset.get(word) or "") for kind, word in KEYWORDS.items()} if dataset is not None else {}
    return {kind: tidy_key(text) for kind, text in texts.items() if text.strip()}


def _parse(data: bytes) -> tuple[Any, bool]:
    """Return the data set up to the last key, None if it is damaged; and whether an element behind it was seen."""
    is_behind = False

    def stop(tag: int, vr: str | None, length: int) -> bool:
        nonlocal is_behind
        is_behind = is_behind or tag > _LAST
        return is_behind

    try:
        pydicom = dicom.load_pydicom()
    except RefusedError as error:
        raise UserError(
            "The table of labels names images by their DICOM headers, which needs another package: "
            'pip install -c constraints.txt -e ".[dicom]".'
        ) from error
    try:
        tags = list(map(pydicom.datadict.tag_for_keyword, KEYWORDS.values()))
        return pydicom.filereader.read_partial(
            io.BytesIO(readable(data)), stop, force=True, specific_tags=tags
        ), is_behind
    except dicom.ERRORS:
        return None, is_behind
