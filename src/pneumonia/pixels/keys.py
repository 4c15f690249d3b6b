"""What names the pixels of an image in a pixel store."""

import pandas as pd

from pneumonia.images.depth import key_of


def pixel_keys(images: pd.DataFrame) -> pd.Series:
    """Return what names the pixels of each image: the hash of its file, and how it is rendered.

    Args:
        images: With sha256 and, if any image has 16 bits or is DICOM, bits.
    """
    hashes: pd.Series = images["sha256"]
    if "bits" not in images.columns:
        return hashes
    keys = [key_of(sha256, bits) for sha256, bits in zip(hashes, images["bits"], strict=True)]
    return pd.Series(keys, hashes.index, dtype=hashes.dtype)
