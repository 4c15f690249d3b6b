"""What a DICOM header says of an object: a frontal chest radiograph, something else, or unknown; pure rules on text.

Body part and view position are free text in practice, in any language. Only a clear word for another part or view
excludes an image; unknown words are noted. The words are in `dicom_words.json`.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from pneumonia.images.members import stem
from pneumonia.images.status import SEVERAL_FRAMES

FRONTAL, LATERAL = "FRONTAL", "LATERAL"
# How a view is called in the index.
VIEWS = {"ap": "AP", "pa": "PA", "frontal": FRONTAL, "lateral": LATERAL}

VIEW_UNKNOWN = "view unknown"
_TEXTS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
# Classes of single projections: computed and digital radiography, secondary capture, fluoroscopy.
_STANDARD = "1.2.840.10008."
_IMAGES = "1.2.840.10008.5.1.4.1.1"
_RADIOGRAPHS = (f"{_IMAGES}.1", f"{_IMAGES}.1.1", f"{_IMAGES}.7", f"{_IMAGES}.12.2")
_RAW = (f"{_IMAGES}.1.1.1", f"{_IMAGES}.66")
# Words in tables for images of other modalities.
_OTHER_IMAGES = frozenset(("CT", "CTA", "HRCT", "MR", "MRI", "US", "AXIAL", "SAGITTAL"))
_LETTERS = str.maketrans({"Ł": "L", "Ø": "O", "Đ": "D", "Æ": "AE", "Œ": "OE"})
# Turkish for right; without its mark it is short for sagittal.
_RIGHT = re.compile(r"(?<![^\W_])SAĞ(?![^\W_])")
_MOST_LETTERS = 32
# In the name of a file: words of letters, also beside digits, and a capital behind a small letter.
_WORDS_OF_NAMES = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# The space between two letters that stand alone, as in P. A.
_SINGLE_LETTERS = re.compile(r"(?<=\b[A-Z]) (?=[A-Z]\b)")


class ViewWords(NamedTuple):
    """Words that a user adds: for a frontal chest, and for other parts and views."""

    chest: tuple[str, ...] = ()
    other: tuple[str, ...] = ()


class ObjectVerdict(NamedTuple):
    """What an object is.

    Attributes:
        other: Why it is not a frontal chest radiograph; empty if it is, as far as is known.
        problem: Why it is none although it should be; empty if it may be used.
        notes: What is unusual or not known.
        view: AP, PA, FRONTAL or LATERAL; empty if unknown.
    """

    other: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()
    view: str = ""


def judge(header: Mapping[str, Any], words: ViewWords = ViewWords()) -> ObjectVerdict:  # noqa: B008 - immutable
    """Say what an object is.

    Args:
        header: Values by keyword: text, numbers, lists of texts; of a sequence of codes, lists of code and meaning.
        words: Words that a user added.

    >>> judge({"Modality": "DX", "BodyPartExamined": "TORAX", "ViewPosition": "P.A.", "PixelData": True}).view
    'PA'
    """
    kind = _judge_kind(header)
    if kind.other or kind.problem:
        return kind
    part, note = _judge_part(header, words)
    view, view_notes = _judge_view(header, words)
    notes = (*kind.notes, *filter(None, (note,)), *view_notes)
    other = part or ("not a frontal view: other view position" if view == LATERAL else "")
    return ObjectVerdict(other, "", notes, view)


def plain(text: str) -> str:
    """Return a text in capitals without accents and punctuation, each word between spaces; single letters are joined.

    >>> plain("p.-a. Thorax, stehend"), plain("göğüs"), plain("sağ")
    (' PA THORAX STEHEND ', ' GOGUS ', ' RIGHT ')
    """
    capitals = _RIGHT.sub("RIGHT", unicodedata.normalize("NFC", text).upper())
    letters = unicodedata.normalize("NFKD", capitals.translate(_LETTERS))
    kept = "".join(one if one.isalnum() else " " for one in letters if not unicodedata.combining(one))
    words = unicodedata.normalize("NFC", kept).split()
    return f" {_SINGLE_LETTERS.sub('', ' '.join(words))} " if words else ""


def _judge_kind(header: Mapping[str, Any]) -> ObjectVerdict:
    """Tell radiographs from other objects, whatever they show."""
    modality = plain(str(header.get("Modality") or "")).strip()
    sop_class = str(header.get("SOPClassUID") or "")
    is_radiograph = sop_class in _RADIOGRAPHS or sop_class.startswith(f"{_IMAGES}.7.")
    if modality in _listed("modalities", "other"):
        return ObjectVerdict(f"not a radiograph: other modality ({modality})")
    if sop_class in _RAW or plain(str(header.get("PresentationIntentType") or "")) == " FOR PROCESSING ":
        return ObjectVerdict("raw detector data (FOR PROCESSING): export the image for presentation")
    if sop_class.startswith(_STANDARD) and not is_radiograph:
        return ObjectVerdict("not a radiograph: other kind of object, by its SOP class")
    if not header.get("PixelData"):
        return ObjectVerdict(problem="no pixel data")
    if int(header.get("NumberOfFrames") or 1) > 1:
        return ObjectVerdict(SEVERAL_FRAMES)
    if plain(str(header.get("BurnedInAnnotation") or "")) == " YES ":
        return ObjectVerdict("burned-in annotation, which may name the patient")
    is_known = not modality or modality in _listed("modalities", "radiograph")
    return ObjectVerdict(notes=() if is_known else (f"modality not known: {_quotable(modality, header)}",))


def _judge_part(header: Mapping[str, Any], words: ViewWords) -> tuple[str, str]:
    """Say why the body part is not the chest, by the first of the header's values that tells it; what is not known."""
    text = plain(str(header.get("BodyPartExamined") or ""))
    regions = header.get("AnatomicRegionSequence") or ()
    found = _part_of(text, words)
    if not text:
        found = _part_of_codes(regions, words) or _part_of(_described(header, "no_part"), words)
    if found == "other":
        return "not a chest: other body part", ""
    is_view = bool(text) and not set(text.split()) - _listed("words", "neutral") - {"AP", "PA", "LAT", "LL", "RL"}
    if found or not text or is_view:
        return "", ""
    return "", f"body part not known: {_quotable(text, header)}"


def _part_of(text: str, words: ViewWords) -> str:
    """Return "chest", "other", or "" if a text does not tell."""
    if _has(text, map(plain, words.chest)):
        return "chest"
    if _has(text, map(plain, words.other)) or _has(text, _alternatives("not_chest")):
        return "other"
    for name, answer in (("chest", "chest"), ("other", "other"), ("weak_chest", "chest")):
        if _has(text, _alternatives(name)):
            return answer
    return ""


def _part_of_codes(codes: Sequence[Sequence[str]], words: ViewWords) -> str:
    """Return the part of a sequence of codes: by code (SRT, SNOMED CT), or else by what they mean in words."""
    for name in ("chest", "other"):
        if any(str(value).strip() in _listed("region_codes", name) for value, _ in codes):
            return name
    return _part_of("".join(plain(str(meaning)) for _, meaning in codes), words)


def _judge_view(header: Mapping[str, Any], words: ViewWords) -> tuple[str, tuple[str, ...]]:
    """Return the view, by the first of the header's values that tells it, and notes."""
    text = plain(str(header.get("ViewPosition") or ""))
    told = [
        _view_of(text, words),
        _view_of_codes(header.get("ViewCodeSequence") or ()),
        _view_of_orientation(header.get("PatientOrientation") or ()),
        _view_of(plain(str(header.get("BodyPartExamined") or "")), ViewWords()),
    ]
    described = _view_of(_described(header, "no_view"), ViewWords())
    known = [view for view in told if view]
    notes = []
    if text and not told[0] and set(text.split()) - _listed("words", "neutral"):
        notes.append(f"view position not known: {_quotable(text, header)}")
    if len({view == LATERAL for view in known}) > 1:
        notes.append("view contradictory: the first of view position, view code and orientation counts")
    if not known and described:
        notes.append("view read from a description")
    view = next(iter([*known, described]))
    if not view:
        notes.append(VIEW_UNKNOWN)
    return view, tuple(notes)


def _described(header: Mapping[str, Any], unclear: str) -> str:
    """Return what the header's descriptions say together, without words that are listed as unclear."""
    text = "".join(plain(str(header.get(name) or "")) for name in _TEXTS)
    for word in _alternatives(unclear):
        text = text.replace(word, " ")
    return text


def view_of(text: str) -> str:
    """Return the view that a text in any spelling names, as in `VIEWS`; "" if it names none.

    >>> view_of("p.a."), view_of("seitlich"), view_of("stehend")
    ('PA', 'LATERAL', '')
    """
    return _view_of(plain(text), ViewWords())


def is_called_lateral(path: str, chest_words: Sequence[str] = ()) -> bool:
    """Tell whether the name of a file, or else of the nearest folder that names a view, clearly says "lateral".

    Args:
        path: Path of the file.
        chest_words: A user's words for frontal chests; a name with one of them is not lateral.

    >>> is_called_lateral("12_LAT.png"), is_called_lateral("lateral/3.png"), is_called_lateral("plate_3_L.png")
    (True, True, False)
    >>> is_called_lateral("12_PA_and_lateral.png"), is_called_lateral("lateral/3_PA.png")
    (False, False)
    """
    if not _lateral_hint().search(path):
        return False
    for part in reversed(stem(path).split("/")):
        text = plain(" ".join(_WORDS_OF_NAMES.findall(_CAMEL.sub(" ", part))))
        view = _view_of(text, ViewWords(tuple(chest_words)))
        if _has(text, _alternatives("lateral_in_names")) and not _has(text, _alternatives("both_sides")):
            return view == LATERAL and not _has(text, map(plain, chest_words))
        if view not in ("", LATERAL):
            return False
    return False


@cache
def _lateral_hint() -> re.Pattern[str]:
    """Return what every such name contains, so that others are passed over quickly."""
    return re.compile("|".join(word.strip() for word in _alternatives("lateral_in_names")), re.IGNORECASE)


def is_no_view(text: str) -> bool:
    """Tell whether a text has words that are not known, and names no view.

    >>> is_no_view("stehend"), is_no_view("view 3")
    (False, True)
    """
    return not view_of(text) and bool(set(plain(text).split()) - _listed("words", "neutral"))


def shows_other(text: str) -> bool:
    """Tell whether a text about an image names another modality, or another part of the body and no view.

    >>> shows_other("Coronal CT"), shows_other("X-ray"), shows_other("extremities"), shows_other("AP, arms raised")
    (True, False, True, False)
    """
    words = plain(text)
    is_part = not view_of(text) and _part_of(words, ViewWords()) == "other"
    return is_part or not _OTHER_IMAGES.isdisjoint(words.split())


def _view_of(text: str, words: ViewWords) -> str:
    """Return the view that a text names; "" if it names none, or frontal and lateral ones."""
    if _has(text, map(plain, words.other)):
        return LATERAL
    found = [VIEWS[name] for name in VIEWS if _has(text, _alternatives(name))]
    if LATERAL in found:
        return LATERAL if len(found) == 1 else ""
    if {"AP", "PA"} <= set(found):
        return FRONTAL
    return next(iter(found), FRONTAL if _has(text, map(plain, words.chest)) else "")


def _view_of_codes(codes: Sequence[Sequence[str]]) -> str:
    """Return the view of a sequence of codes: by code (SRT, SNOMED CT), or else by what it means in words."""
    for value, meaning in codes:
        for name, view in VIEWS.items():
            if str(value).strip() in _listed("view_codes", name):
                return view
        if view := _view_of(plain(str(meaning)), ViewWords()):
            return view
    return ""


def _view_of_orientation(orientation: str | Sequence[str]) -> str:
    """Return the view by the directions of rows and columns: a frontal view has neither anterior nor posterior."""
    parts = orientation.split("\\") if isinstance(orientation, str) else orientation
    directions = [part.strip().upper()[:1] for part in map(str, parts)][:2]
    if {"A", "P"} & set(directions):
        return LATERAL
    return FRONTAL if len(directions) == 2 and {"L", "R"} & set(directions) and {"H", "F"} & set(directions) else ""


def _quotable(text: str, header: Mapping[str, Any]) -> str:
    """Return an unknown text as it may be written: words of letters, and none of the patient's ID."""
    secret = set(plain(str(header.get("PatientID") or "")).split())
    words = [word for word in text.split() if word.isalpha() and word not in secret]
    return " ".join(words)[:_MOST_LETTERS].strip() or "(no word)"


def _has(text: str, alternatives: Iterable[str]) -> bool:
    return any(one and one in text for one in alternatives)


@cache
def _alternatives(name: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in sorted(_listed("words", name)))


@cache
def _listed(kind: str, name: str) -> frozenset[str]:
    return frozenset(" ".join(_tables()[kind][name]).split())


@cache
def _tables() -> dict[str, dict[str, list[str]]]:
    return json.loads(files("pneumonia.images").joinpath("dicom_words.json").read_text("utf-8"))
