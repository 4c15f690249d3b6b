"""Every kind of file that a later run reads, damaged at random: refused in a sentence, or read as it was written."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.datasets import ModelDataset, PixelStoreDataset, RecordDataset, TableDataset, TrainingStateDataset
from pneumonia.images.cache import FileState, IndexCache
from pneumonia.images.examine import Facts
from pneumonia.pixels.request import PixelRequest

pytestmark = pytest.mark.slow

MUTATIONS = 2_000


def mutate(data, rng):
    """Change one to three places: a bit, a byte, a stretch that is cut, doubled, blanked, moved or replaced."""
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(0, len(data) + 1))
        stop = min(len(data), start + int(rng.choice([1, 2, 8, 64, 512, len(data)])))
        piece = data[start:stop]
        data = rng.choice(CHANGES)(data[:start], piece, data[stop:], rng)
    return data


def flip_a_bit(before, piece, after, rng):
    return before + bytes([piece[0] ^ 1 << int(rng.integers(8))]) + piece[1:] + after if piece else before + after


def replace(before, piece, after, rng):
    return before + rng.bytes(len(piece)) + after


def insert(before, piece, after, rng):
    return before + rng.bytes(int(rng.integers(1, 9))) + piece + after


def put_a_sign(before, piece, after, rng):
    signs = (b'"', b"{", b"[", b",", b"\n", b"0", b"-", b"e9", b"\xff", b"\\ud800", b"null", b"\0", b"[" * 100_000)
    return before + signs[int(rng.integers(len(signs)))] + piece[1:] + after


def cut(before, piece, after, rng):
    return before + after


def cut_the_end(before, piece, after, rng):
    return before


def double(before, piece, after, rng):
    return before + piece + piece + after


def blank(before, piece, after, rng):
    return before + bytes(len(piece)) + after


def move(before, piece, after, rng):
    return after + piece + before


CHANGES = [flip_a_bit, replace, insert, put_a_sign, cut, cut_the_end, double, blank, move]


class Persisted(NamedTuple):
    """A file, and a function that loads it into something that can be compared."""

    path: object
    load: object


def table(folder):
    dataset = TableDataset(filepath=str(folder / "table.csv"))
    dataset.save(pd.DataFrame({"path": ["a.png", "=b", "None", ""], "n": [1, 2, 3, 4], "share": [0.1, 1 / 3, 0, 2]}))
    return dataset, lambda: dataset.load().to_csv()


def a_table(folder, **_):
    return Persisted(folder / "table.csv", table(folder)[1])


def a_checksum(folder, **_):
    return Persisted(folder / "table.csv.sha256", table(folder)[1])


def record(folder):
    dataset = RecordDataset(filepath=str(folder / "record.json"))
    dataset.save({"auc": {"value": 0.9923, "low": None}, "names": ["NORMAL", "PNEUMONIA"], "n": 614, "is_good": True})
    return dataset.load


def a_record(folder, **_):
    return Persisted(folder / "record.json", record(folder))


def a_checksum_of_a_record(folder, **_):
    return Persisted(folder / "record.json.sha256", record(folder))


def store(folder, tiny_images, tiny_manifest):
    dataset = PixelStoreDataset(filepath=str(folder / "pixels"))
    sha256s = tuple(tiny_manifest["sha256"])
    dataset.save(PixelRequest(tuple(tiny_manifest["path"]), sha256s, 32, "squeeze", tiny_images.__getitem__))

    def load():
        opened = dataset.load().open(32, "squeeze")
        return opened.read(opened.rows(sha256s)).tobytes()

    return next(folder.glob("pixels/*/*.u8")), load


def a_pixel_store_part(folder, tiny_images, tiny_manifest):
    return Persisted(*store(folder, tiny_images, tiny_manifest))


def a_pixel_store_description(folder, tiny_images, tiny_manifest):
    path, load = store(folder, tiny_images, tiny_manifest)
    return Persisted(path.with_suffix(".json"), load)


def an_index_cache(folder, **_):
    """A cache whose lost entries are restored by reading the images again."""
    cache, states = IndexCache(folder / "cache.sqlite"), [FileState(f"{n}.png", "stamp") for n in range(30)]
    with cache.open("here") as facts:
        facts.write((state, Facts(f"{number:064x}", 80, 64, "L")) for number, state in enumerate(states))

    def load():
        with cache.open("here") as facts:
            found = [facts.find(state) for state in states]
        expected = [one or Facts(f"{number:064x}", 80, 64, "L") for number, one in enumerate(found)]
        if None in found and expected == whole:
            raise UserError("is read again")
        return found

    whole = load()
    return Persisted(cache.path, load)


def a_model(folder, **_):
    import keras

    dataset = ModelDataset(filepath=str(folder / "model.keras"))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, kernel_initializer="ones")])
    dataset.save(model)

    def load():
        loaded = dataset.load()
        return [weight.tolist() for weight in loaded.get_weights()], loaded.get_config()["layers"]

    return Persisted(folder / "model.keras", load)


def a_training_state(folder, **_):
    states = TrainingStateDataset(filepath=str(folder), tensorboard_logs=str(folder / "logs")).load()
    state = states.of("state")
    state.write({"epoch": 3, "description": {"pixels": "ab"}}, {"best": [np.arange(9.0), np.array(7)], "variables": []})

    def load():
        found, arrays = state.read() or (None, {})
        return found, {name: [value.tolist() for value in values] for name, values in arrays.items()}

    return Persisted(folder / "state.npz", load)


KINDS = [
    a_table, a_checksum, a_record, a_checksum_of_a_record, a_pixel_store_part, a_pixel_store_description,
    an_index_cache, a_model, a_training_state,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_refused_or_read_as_it_was_written(kind, tmp_path, tiny_images, tiny_manifest):
    persisted = kind(tmp_path, tiny_images=tiny_images, tiny_manifest=tiny_manifest)
    whole, expected = persisted.path.read_bytes(), persisted.load()
    rng = np.random.default_rng(2018)
    ends = Counter()
    for _ in range(MUTATIONS):
        persisted.path.write_bytes(mutate(whole, rng))
        try:
            ends["as written" if persisted.load() == expected else "CHANGED"] += 1
        except UserError:
            ends["refused"] += 1
        except Exception as error:  # noqa: BLE001 - whichever it is, a user would see its traceback
            cause = error.__cause__ or error
            ends[f"{type(cause).__name__}: {cause}"[:200]] += 1

    assert set(ends) <= {"refused", "as written"}, ends
    assert ends["refused"] > MUTATIONS / 2
