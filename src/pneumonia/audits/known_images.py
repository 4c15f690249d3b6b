"""Images that a model knows: those that it was trained or validated on, found again elsewhere."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from pneumonia.base.parameters import IngestParameters
from pneumonia.images.examine import SIDE
from pneumonia.images.near_duplicates import correlate_details
from pneumonia.model.predict import Pixels
from pneumonia.pixels.store import PixelStore
from pneumonia.predictor.reading import Item, Reading, read_pixels

KNOWN_SPLITS = ("train", "val")
ROWS_AT_ONCE = 256  # hashes that are compared at once: bounds the memory
COLUMNS = ["path", "known", "same_bytes", "bits", "correlation"]


def find_known(
    images: pd.DataFrame,
    items: dict[str, Item],
    known: pd.DataFrame,
    pixel_store: PixelStore,
    how: Reading,
    parameters: IngestParameters,
) -> pd.DataFrame:
    """Find images of train and val among others, by their bytes and by hash and pixels.

    Args:
        images: path, sha256 and perceptual_hash of the images to look at.
        items: How to read them, by path.
        known: path, sha256, split and perceptual_hash (empty if unknown) of the model's images.
        pixel_store: Has the pixels of the model's images.
        how: How these were decoded.
        parameters: Largest number of bits in which the hashes may differ, smallest correlation of the pixels.

    Returns:
        path, known (the path of the model's image), same_bytes, bits, correlation: at most one row per image.
    """
    known = known[known["split"].isin(KNOWN_SPLITS)]
    path_of = dict(zip(known["sha256"], known["path"], strict=True))
    same = images[images["sha256"].isin(path_of.keys())]
    rows = [(path, path_of[sha256], True, 0, 1.0) for path, sha256 in same[["path", "sha256"]].itertuples(index=False)]
    rest = images[~images["sha256"].isin(path_of.keys()) & (images["perceptual_hash"] != "")].reset_index(drop=True)
    hashed = known[known["perceptual_hash"] != ""].reset_index(drop=True)
    pairs = near_pairs(rest["perceptual_hash"], hashed["perceptual_hash"], parameters.near_duplicate_bits)
    if len(pairs):
        one = read_pixels([items[path] for path in rest.loc[pairs[:, 0], "path"]], how)
        other = pixel_store.read(pixel_store.rows(hashed.loc[pairs[:, 1], "sha256"]))
        correlation = correlate_details(_small(one), _small(other))
        for (row, place, bits), value in zip(pairs, correlation, strict=True):
            if value >= parameters.near_duplicate_correlation:
                rows.append((rest["path"][row], hashed["path"][place], False, int(bits), round(float(value), 4)))
    found = pd.DataFrame(rows, columns=COLUMNS).sort_values(["path", "correlation"], ascending=[True, False])
    return found.drop_duplicates("path", ignore_index=True)


def near_pairs(hashes: pd.Series, others: pd.Series, most_bits: int) -> npt.NDArray[np.int64]:
    """List all pairs of hashes, one of each sample, that differ in few bits.

    Args:
        hashes: 64 hexadecimal digits each, `n` of them.
        others: The same, `m` of them.
        most_bits: Largest number of bits in which a pair may differ.

    Returns:
        Row, row of the others and number of bits, `[pairs, 3]`.
    """
    one, other = _words(hashes), _words(others)
    parts = []
    for start in range(0, len(one), ROWS_AT_ONCE):
        chunk = one[start : start + ROWS_AT_ONCE]
        bits = sum(
            np.bitwise_count(chunk[:, word, None] ^ other[None, :, word]).astype(np.int64)
            for word in range(one.shape[1])
        )
        rows, places = np.nonzero(bits <= most_bits)
        parts.append(np.column_stack([rows + start, places, np.asarray(bits)[rows, places]]))
    return np.concatenate([np.empty((0, 3), np.int64), *parts])


def _words(hashes: pd.Series) -> npt.NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(len(hashes), 4)


def _small(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Shrink decoded images to the grey values that are compared, `[n, 32, 32]`."""
    small = [Image.fromarray(image[..., 0]).resize((SIDE, SIDE), Image.Resampling.BOX) for image in pixels]
    return np.stack([np.asarray(image) for image in small])
