"""Images for a small network."""

import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path, tiny_images):
    """Ten of the tiny images, at the top and in subfolders, beside files that cannot be used."""
    for number, content in enumerate(list(tiny_images.values())[:10]):
        path = tmp_path / "new" / ("deep/er" if number % 2 else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "new/empty.png").write_bytes(b"")
    (tmp_path / "new/text.jpeg").write_bytes(b"no image")
    (tmp_path / "new/notes.txt").write_bytes(b"not listed")
    return tmp_path / "new"


@pytest.fixture(scope="session")
def noise():
    """Twenty images that show no chest at all, uint8 [20, 32, 32, 1]."""
    return np.random.default_rng(1).integers(0, 256, (20, 32, 32, 1)).astype(np.uint8)
