"""Which images belong together: groups and etiologies from file names, or groups from a `groups.csv`.

A group is what the file names give, not a proven patient. Of patients' IDs, groups are a keyed hash that does not
reveal them, with a key that only this machine has.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import regex

from pneumonia.base.errors import UserError
from pneumonia.base.files import is_missing, only_writer, regular, write_whole
from pneumonia.images.tables import Table, find_named

GROUPS_FILE = "groups.csv"
ETIOLOGIES = ("bacteria", "virus")
NO_ETIOLOGY = "none"
UNKNOWN_ETIOLOGY = "unknown"
MATCHING_SECONDS = 10.0  # for one name; a usual pattern takes microseconds

# Replaces the key file: two machines with the same key give the same groups.
ENVIRONMENT_VARIABLE = "PNEUMONIA_PATIENT_KEY"
_KEY_BYTES = 32
_DIGITS = 16
# How the groups begin.
PREFIX = "patient-"


@dataclass(frozen=True)
class NameParts:
    """What a file name says: the number of the group, and the etiology if it names one."""

    number: str
    etiology: str = ""

    @property
    def group(self) -> str:
        """Etiology and number: the counters of the etiologies are independent of each other."""
        return f"{self.etiology}-{self.number}" if self.etiology else self.number

    @property
    def conservative_group(self) -> str:
        """The number alone: joins unrelated patients, but never separates images with the same number."""
        return f"number-{self.number}" if self.etiology else self.number


def parse_name(path: str, patterns: Sequence[str]) -> NameParts | None:
    """Read a file name, without its suffix, by the first pattern that matches all of it.

    Args:
        path: Path of an image.
        patterns: Regular expressions with a part `number` and perhaps a part `etiology`.

    Raises:
        UserError: If matching a pattern with the name would take hours.

    >>> parse_name("train/PNEUMONIA/person23_virus_7.jpeg", [r"person(?P<number>\\d+)_(?P<etiology>[a-z]+)_\\d+"])
    NameParts(number='23', etiology='virus')
    """
    stem = os.path.splitext(path)[0].rpartition("/")[2]  # noqa: PTH122 - pathlib is slow for many thousand names
    for pattern in patterns:
        try:
            match = regex.fullmatch(pattern, stem, timeout=MATCHING_SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"Matching the pattern {pattern!r} with the file name {stem!r} takes too long: a repetition inside a "
                f"repetition, such as (a+)+, is tried in too many ways. Rewrite the pattern without it, or list the "
                f"groups in {GROUPS_FILE}."
            ) from error
        if match:
            parts = match.groupdict()
            return NameParts(parts["number"] or "", (parts.get("etiology") or "").lower())
    return None


def etiology_of(path: str, is_positive: bool, patterns: Sequence[str]) -> str:
    """Return "bacteria" or "virus" as the name says, "none" for the negative class, or "unknown"."""
    if not is_positive:
        return NO_ETIOLOGY
    name = parse_name(path, patterns)
    return name.etiology if name is not None and name.etiology in ETIOLOGIES else UNKNOWN_ETIOLOGY


def group_of(path: str, patterns: Sequence[str], listed: Mapping[str, str] | None, patient: str = "") -> str:
    """Return an image's group: as listed, or its patient, or from its name, or the image itself (its path)."""
    if listed is not None:
        return listed.get(path, path)
    if patient:
        return patient
    name = parse_name(path, patterns)
    return path if name is None else name.group


def split_key(path: str, group: str, group_by: str, patterns: Sequence[str], site: str = "") -> str:
    """Return what must stay in one split under `group_by`.

    Args:
        path: Path of the image.
        group: Its group.
        group_by: "etiology_number", "number" or "image".
        patterns: The patterns of file names. A group from a `groups.csv` is kept unchanged.
        site: Where the image comes from, if there are several; the name of a source is before its groups.
    """
    if group_by == "image":
        return path
    name = parse_name(path, patterns) if group_by == "number" else None
    before = f"{site}/" if site and group.startswith(f"{site}/") else ""
    return before + name.conservative_group if name is not None and before + name.group == group else group


def read_groups(table: Table) -> dict[str, str]:
    """Read a `groups.csv`: columns path and group.

    Returns:
        Group by path as written.

    Raises:
        UserError: If it is not such a table, or lists a path under two groups.
    """
    path_column, group_column = find_named(table, GROUPS_FILE, ("path", "group"))
    groups: dict[str, str] = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        path, group = row[path_column], row[group_column]
        if line in table.overfull:
            raise UserError(
                f"{GROUPS_FILE}, line {line}: more cells than columns. Put a cell with a separator in it between "
                "quotation marks."
            )
        if not path or not group:
            raise UserError(f"{GROUPS_FILE}, line {line}: a path and a group are needed.")
        if groups.setdefault(path, group) != group:
            raise UserError(f"{GROUPS_FILE} lists {path} under two groups, {groups[path]} and {group}.")
    return groups


def link_groups(groups: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the groups of each pair, and so on along chains of pairs.

    Returns:
        For each group, the first name, in order, of all groups joined with it.

    >>> link_groups("abcd", [("c", "b"), ("d", "c")])
    {'a': 'a', 'b': 'b', 'c': 'b', 'd': 'b'}
    """
    first = {group: group for group in groups}

    def find(group: str) -> str:
        while first[group] != group:
            first[group] = first[first[group]]
            group = first[group]
        return group

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        first[high] = low
    return {group: find(group) for group in first}


class PatientKey:
    """The key at a path. It is made, at random, when it is first needed."""

    def __init__(self, path: Path) -> None:
        """Take the path."""
        self._path = path

    def group_of(self, patient_id: str) -> str:
        """Return the group of a patient, HMAC-SHA-256 of the ID in 16 hexadecimal digits; "" without an ID.

        Without the key, nobody can try all IDs until one matches, as is possible with a plain hash.
        """
        if not patient_id:
            return ""
        return PREFIX + hmac.new(self._key, patient_id.encode(), hashlib.sha256).hexdigest()[:_DIGITS]

    def mark(self) -> str:
        """Return a mark that changes with the key; empty if there is no key yet."""
        if not (os.environ.get(ENVIRONMENT_VARIABLE) or not is_missing(self._path)):
            return ""
        return hashlib.sha256(b"mark" + self._key).hexdigest()[:8]

    def make(self) -> None:
        """Make the key unless there is one."""
        _ = self._key

    @cached_property
    def _key(self) -> bytes:
        given = os.environ.get(ENVIRONMENT_VARIABLE)
        if given:
            return given.encode()
        try:
            if is_missing(self._path):
                self._write()
            key = regular(self._path).read_bytes()
        except OSError as error:
            raise UserError(
                f"The key for patients' IDs, {self._path}, cannot be read or written ({error.strerror}). Fix its "
                f"permissions, or set {ENVIRONMENT_VARIABLE}."
            ) from error
        if len(key) != 2 * _KEY_BYTES:
            raise UserError(
                f"The key for patients' IDs, {self._path}, is damaged, and with another one patients get other groups. "
                "Put it back, or remove it to start over with a new one."
            )
        return key

    def _write(self) -> None:
        """Write a key, unless another thread or run does so first: with two keys, a patient would have two groups."""
        with only_writer(self._path.parent):
            if is_missing(self._path):
                write_whole(self._path, secrets.token_hex(_KEY_BYTES).encode())
                self._path.chmod(0o600)
