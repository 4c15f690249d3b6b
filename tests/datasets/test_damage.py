"""Every artefact of the catalog, damaged in every way: whatever is there and cannot be used is named in a sentence."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro.io import AbstractDataset
from tests.base.test_files import WRONG

from pneumonia.base.errors import UserError
from pneumonia.datasets.services import load_all_records, load_records, open_versions
from pneumonia.runs.errors import PlainError

VERSION = "2026-01-01T00.00.00.000Z"
# What each kind of dataset is given to save.
FIGURE = SimpleNamespace(savefig=lambda file, **_: file.write(b"a picture of 1234567890 dots"))
SAVED = {
    "TableDataset": pd.DataFrame({"path": ["a.png", "b.png"], "probability": [0.25, 0.75]}),
    "RecordDataset": {"auc": {"value": 0.9375}, "n": 128},
    "FigureDataset": FIGURE,
    "HtmlDataset": "<p>An AUC of 0.94</p>",
    "TextDataset": "An AUC of 0.94\n",
    "FolderDataset": {"model.json": b'{"format": 1}'},
    "ModelDataset": None,  # a network
}
# These make, compute or keep nothing that a later run reads by the catalog alone; each has tests of its own.
OTHERS = {
    "MemoryDataset", "RunContextDataset", "ServiceDataset", "PartitionedDataset", "PixelStoreDataset",
    "TrainingStateDataset",
}  # fmt: skip


def change_a_digit(content):
    for digit in range(9, -1, -1):
        if str(digit).encode() in content:
            return content.replace(str(digit).encode(), str((digit + 1) % 10).encode(), 1)
    raise AssertionError("no digit")


CONTENT = {
    "halved": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: bytes(len(content)),
    "emptied": lambda content: b"",
    "a digit changed": change_a_digit,
    "of another run": lambda content: content + content,
}


def kind_of(entry):
    return entry["type"].rpartition(".")[2]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def test_every_entry_of_the_catalog_is_damaged_here_or_has_tests_of_its_own(catalog_entries):
    kinds = {kind_of(entry) for entry in catalog_entries.values() if entry}

    assert kinds <= SAVED.keys() | OTHERS


@pytest.mark.parametrize("entry_kind", SAVED)
def test_what_is_wrong_with_a_file_is_said_and_no_older_version_taken(entry_kind, catalog_entries, network, tmp_path):
    entries = {name: entry for name, entry in catalog_entries.items() if entry and kind_of(entry) == entry_kind}
    assert entries
    for name, entry in entries.items():
        for version in ("2025-12-31T00.00.00.000Z", VERSION):
            dataset = made(name, entry, tmp_path, version)
            dataset.save(network if entry_kind == "ModelDataset" else SAVED[entry_kind])
        dataset = made(name, entry, tmp_path, None)
        path = Path(dataset._get_load_path())
        assert path.parent.name == VERSION
        dataset.load()
        for damage, make in damages(entry_kind).items():
            with damaged(path, make):
                assert dataset.exists(), (name, damage)
                with pytest.raises(PlainError) as said:
                    dataset.load()
                assert str(path) in said.value.message, (name, damage)
                assert " run again" in said.value.message or "Remove " in said.value.message, (name, damage)
        path.rename(path.with_name("moved"))
        dataset.release()
        assert Path(dataset._get_load_path()).parent.name == "2025-12-31T00.00.00.000Z"


def made(name, entry, folder, version):
    config = {key: value for key, value in entry.items() if key != "validator"}
    config["filepath"] = str(folder / name / Path(entry["filepath"]).name)
    return AbstractDataset.from_config(name, {**config, "versioned": True}, None, version)


def damages(kind):
    """Give what damages a file, and mends it again, by name."""
    contents = {} if kind == "FolderDataset" else CONTENT
    if kind == "ModelDataset":  # the digest of its weights tells one model from another
        contents = {name: contents[name] for name in ("halved", "zeroed", "emptied")}
    wrong = {name: make for name, make in WRONG.items() if (kind, name) != ("FolderDataset", "a folder")}
    wrong |= {"a file": lambda path: path.write_bytes(b"")} if kind == "FolderDataset" else {}
    changed = {
        name: lambda path, old, change=change: path.write_bytes(change(old.read_bytes()))
        for name, change in contents.items()
    }
    return changed | {name: lambda path, old, make=make: make(path) for name, make in wrong.items()}


@contextmanager
def damaged(path, damage):
    """Put something else in the place of a file, and put the file back."""
    old = path.rename(path.with_name("whole"))
    damage(path, old)
    try:
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        old.rename(path)


@pytest.mark.parametrize("kind", ["RecordDataset", "TableDataset", "TextDataset"])
def test_without_its_checksum_what_is_no_text_is_named_too(kind, tmp_path):
    entry = {"type": f"pneumonia.datasets.{kind}", "filepath": "file.json"}
    made("file", entry, tmp_path, VERSION).save(SAVED[kind])
    dataset = made("file", entry, tmp_path, None)
    path = Path(dataset._get_load_path())
    path.with_name(f"{path.name}.sha256").unlink()
    path.write_bytes(b"\xff" + path.read_bytes())

    with pytest.raises(PlainError, match=f"^{path} (is damaged|has no checksum)"):
        dataset.load()


@pytest.mark.parametrize("make", damages("RecordDataset").values(), ids=damages("RecordDataset"))
@pytest.mark.parametrize("load", [load_all_records, load_records, open_versions])
def test_a_damaged_record_among_all_versions_is_named(tmp_path, load, make):
    dataset = made("record", {"type": "pneumonia.datasets.RecordDataset", "filepath": "record.json"}, tmp_path, VERSION)
    dataset.save(SAVED["RecordDataset"])
    path = tmp_path / "record" / "record.json" / VERSION / "record.json"

    def read():
        if load is open_versions:
            return load(str(path.parent.parent), "pneumonia.datasets.RecordDataset")[VERSION]()
        return load(str(path.parent if load is load_records else path.parent.parent))

    assert SAVED["RecordDataset"] in (read(), *read().values())
    with damaged(path, make), pytest.raises((UserError, OSError), match=f"{path}"):
        read()
