"""Groups from patients' IDs that do not reveal the IDs: a keyed hash, with a key that only this machine has."""

import hashlib
import hmac
import os
import secrets
from functools import cached_property
from pathlib import Path

from pneumonia.base.errors import UserError
from pneumonia.base.files import is_missing, only_writer, regular, write_whole

# Replaces the key file: two machines with the same key give the same groups.
ENVIRONMENT_VARIABLE = "PNEUMONIA_PATIENT_KEY"
_KEY_BYTES = 32
_DIGITS = 16
# How the groups begin.
PREFIX = "patient-"


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
