"""The groups of parameters that say which images there are, and what all groups have in common."""

from typing import Annotated, Any, Literal

import regex
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

Share = Annotated[float, Field(gt=0, lt=1)]


# TensorFlow and NumPy take 32-bit seeds and sizes.
MOST = 2**31 - 1
# Pillow opens no larger image.
MOST_PIXELS = 178_956_970


class Group(BaseModel):
    """A group of parameters: immutable, without keys that nobody reads, and without numbers that overflow."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )

    @field_validator("*")
    @classmethod
    def _fits(cls, value: Any) -> Any:
        """Refuse an integer that does not fit in 32 bits."""
        if isinstance(value, int) and abs(value) > MOST:
            raise ValueError(f"must be at most {MOST:,}")
        return value


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            names = regex.compile(pattern).groupindex
        except regex.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression ({error})") from error
        if "number" not in names:
            raise ValueError(f"{pattern!r} has no part (?P<number>...)")
    return patterns


def _part_names(value: Any) -> Any:
    """Take two names as one text, as the command line gives them: a comma would end it there."""
    return tuple(value.split("/")) if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    """Take a number for the name of a folder, as the command line gives it."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_words(value: Any) -> Any:
    """Take one word for a list of one, and numbers as they are written."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(word).lower() if isinstance(word, bool) else str(word) for word in values)


Patterns = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_check_patterns)]


class IngestParameters(Group):
    """How images are found, checked, grouped and split."""

    class_names: Annotated[tuple[str, str], Field(strict=False), BeforeValidator(_part_names)]
    """Names of the two class folders, whatever their case; on the command line with / between them. [two folder
    names]"""
    positive_class: Annotated[str, BeforeValidator(_as_text)]
    """The class whose probability is predicted. [one of them]"""
    group_patterns: Patterns
    """How to read groups from file names without suffix: each pattern matches the whole name and has a part `number`
    and optionally a part `etiology` (bacteria or virus). A `groups.csv` (path, group) beside the images takes
    precedence. An image whose group cannot be read is a group of its own; the run says so. [regular expressions]"""
    group_by: Literal["etiology_number", "number", "image"]
    """Which images stay in one split. etiology_number: those with the same etiology and number. number: those with the
    same number, whatever the etiology; this joins unrelated patients, and train images whose number occurs in test are
    left out. image: each image separately; this leaks and exists to measure the leak."""
    val_fraction: Share
    """Share of train + val that becomes val. [share]"""
    test_fraction: Share
    """Share of all images that becomes test if the source has no test folder. [share]"""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the split. [integer]"""
    max_rejected: Annotated[float, Field(ge=0, le=1)]
    """Largest share of unusable image files; above it, the run stops. [share]"""
    min_side: Annotated[int, Field(ge=1)]
    """Smallest width and height of an image; smaller images are rejected. [pixels]"""
    max_pixels: Annotated[int, Field(ge=1, le=MOST_PIXELS)]
    """Largest number of pixels in an image, at most 178,956,970; larger images are rejected. [pixels]"""
    max_file_bytes: Annotated[int, Field(ge=1)]
    """Largest file size; larger files are rejected. [bytes]"""
    patient_id: Literal["use", "ignore"]
    """Whether the patient's ID in DICOM headers tells which images belong together. ignore: for headers whose IDs were
    all replaced by the same word; groups then come from file names or a table."""
    chest_words: Annotated[tuple[str, ...], Field(strict=False)]
    """Further words that say in a DICOM header, as body part or view position, that an image is a frontal chest
    radiograph. [words]"""
    other_words: Annotated[tuple[str, ...], Field(strict=False)]
    """Further words that say there that it shows another part or view: such images are left out. [words]"""
    max_faint: Annotated[float, Field(ge=0, le=1)]
    """Largest share of images that use less than a tenth of the grey levels; above it, the run stops. [share]"""
    near_duplicate_bits: Annotated[int, Field(ge=0, le=256)]
    """Near-duplicates have perceptual hashes that differ in at most this many bits. [bits of 256]"""
    near_duplicate_correlation: Annotated[float, Field(ge=-1, le=1)]
    """Near-duplicates have pixels that correlate at least this much. [correlation]"""
    rehash: bool
    """Read every image again, even if its size and time have not changed since the last run."""

    @field_validator("class_names")
    @classmethod
    def _classes_are_two(cls, names: tuple[str, str]) -> tuple[str, str]:
        if len(set(names)) != 2 or "" in names:
            raise ValueError("must be the names of two different folders")
        return names

    @field_validator("positive_class")
    @classmethod
    def _positive_class_is_known(cls, name: str, info: ValidationInfo) -> str:
        if name not in info.data.get("class_names", (name,)):
            raise ValueError(f"must be one of class_names, {' or '.join(info.data['class_names'])}")
        return name

    @property
    def negative_class(self) -> str:
        """The class that is not the positive one."""
        return next(name for name in self.class_names if name != self.positive_class)


# What may differ between sources: the rest of `ingest` is about all images together.
OF_A_SOURCE = ("class_names", "positive_class", "group_patterns")


Policy = Literal["refuse", "positive", "negative", "leave_out"]


Words = Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(_as_words)]


class LabelColumns(Group):
    """Which column of the table holds what. Empty: it is recognised by its name, whatever its case and signs."""

    path: str
    """What `labels.key` says: a path or name of a file, or a value of its DICOM header. [name of a column]"""
    label: str
    """The label of the image. [name of a column]"""
    group: str
    """Images that belong together. [name of a column]"""
    patient: str
    """The patient's ID, which becomes the group as a keyed hash. [name of a column]"""
    split: str
    """The published split. [name of a column]"""
    age: str
    """Age in years, or with its unit. [name of a column]"""
    sex: str
    """The sex of the patient. [name of a column]"""
    view: str
    """View position, such as PA. [name of a column]"""
    site: str
    """Where the image comes from, if there are several places. [name of a column]"""


class LabelWords(Group):
    """Labels besides the names of the classes, 1 and 0, true and false, yes and no."""

    positive: Words
    """Labels that mean the positive class. [words]"""
    negative: Words
    """Labels that mean the other class. [words]"""


class LabelsParameters(Group):
    """Where labels come from, if not from class folders."""

    table: Annotated[str, Field(min_length=1)]
    """A table of labels instead of class folders. auto: `labels.csv` beside the images, if it exists; where no image is
    in a class folder, also the only other table there that has labels; with a preset, its publisher's tables. none:
    class folders, whatever is beside them. Otherwise the name of a table among the images, or a path. [auto, none, name
    or path]"""
    preset: Literal["plain", "nih", "chexpert", "rsna"]
    """Format of the table. plain: columns path, label and optionally group, patient, split, age, sex, view,
    site."""
    key: Literal["auto", "path", "name", "accession", "sop_uid", "study_uid", "series_uid", "patient"]
    """What names an image in the table. path: its path, or the end of it. name: the file name alone. The others are
    read from DICOM headers; all images with an accession number or patient's ID get its label. auto: as the columns
    are named."""
    columns: LabelColumns
    words: LabelWords
    positive_findings: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """For nih and chexpert: findings that make an image positive. [findings]"""
    negative_findings: Annotated[tuple[str, ...], Field(strict=False)]
    """For nih and chexpert: findings that make an image negative. nih: images with only other findings are left out.
    chexpert: 0 for each of the positive findings, or what is counted as 0, also makes an image negative. [findings]"""
    uncertain: Policy
    """For chexpert: how -1 (uncertain) is counted. refuse: the run stops and asks."""
    blank: Policy
    """For chexpert: how a finding that is not mentioned is counted. refuse: the run stops and asks."""


class SourceParameters(Group):
    """How the images of one of several sources are read, where this differs from `ingest` and `labels`."""

    ingest: dict[str, Any] = {}
    labels: dict[str, Any] = {}

    @field_validator("ingest")
    @classmethod
    def _is_of_a_source(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name in given:
            if name not in OF_A_SOURCE:
                raise ValueError(f"{name} is not among what may differ between sources: {', '.join(OF_A_SOURCE)}")
        return given

    def over(self, ingest: IngestParameters, labels: LabelsParameters) -> tuple[IngestParameters, LabelsParameters]:
        """Return both groups with what this source says otherwise.

        Raises:
            ValidationError: If a key or value is none that the group may have.
        """
        changed = {**ingest.model_dump(), **self.ingest}, {**labels.model_dump(), **self.labels}
        return IngestParameters.model_validate(changed[0]), LabelsParameters.model_validate(changed[1])


class ReportParameters(Group):
    """What only a person can know about the images; the report repeats it."""

    population: Annotated[str, Field(min_length=1, max_length=200)]
    """Who the patients are, in the words for the report and the model card, such as: children of 1 to 5 years. unknown:
    they say so. [text]"""
    source: Literal["unknown", "kermany", "synthetic"]
    """Where the images come from. kermany: the published paediatric radiographs (Mendeley Data, Kaggle); the report
    names hospital, authors and licence. synthetic: drawn by the demo. unknown: the report claims nothing about their
    origin."""
