"""The reader's page against the pipeline: probabilities of the same files, in Chromium and in Python.

    python benchmarks/reader.py MODEL IMAGES [--dicom FILE ...] [--number 50] [--enlarge 1]
        [--page build/reader/index.html]

MODEL is the folder of an exported model, the one that `make reader` built the page from; IMAGES is searched for JPEG
and PNG files, of which the first `number` in the order of their SHA-256 are taken. With
`--enlarge 4.3`, they are first enlarged, given noise and saved as JPEG, so that Pillow decodes at 1/2 or 1/4.
Prints the largest and the median difference of the probabilities, and how many decisions and refusals differ.
"""

import argparse
import csv
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from pneumonia.export.convert import ONNX
from pneumonia.export.parity import open_exported
from pneumonia.pixels.decoding import decode_image


def main() -> None:
    """Score the same files twice, and print how the results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--dicom", type=Path, nargs="*", default=[])
    parser.add_argument("--number", type=int, default=50)
    parser.add_argument("--page", type=Path, default=Path("build/reader/index.html"))
    parser.add_argument("--enlarge", type=float, default=1)
    arguments = parser.parse_args()
    found = [path for path in arguments.images.rglob("*") if path.suffix.lower() in (".jpeg", ".jpg", ".png")]
    found.sort(key=lambda path: hashlib.sha256(path.read_bytes()).digest())
    paths = [*found[: arguments.number], *arguments.dicom]
    with tempfile.TemporaryDirectory() as folder:
        if arguments.enlarge != 1:
            paths = [enlarge(path, arguments.enlarge, Path(folder)) for path in paths]
        expected, in_range = score_in_python(arguments.model, paths)
        rows = score_in_browser(arguments.page, paths)
    print_differences(expected, in_range, rows)


def enlarge(path: Path, factor: float, folder: Path) -> Path:
    """Write a larger copy with noise (standard deviation 6 of 255) as JPEG, and return its path."""
    with Image.open(path) as image:
        large = image.convert("L").resize((round(image.width * factor), round(image.height * factor)))
    noise = np.random.default_rng(0).normal(0, 6, (large.height, large.width))
    target = folder / f"{path.stem}.jpeg"
    Image.fromarray(np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8)).save(target, quality=90)
    return target


def score_in_python(model: Path, paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each file `[n]`, and whether it is in range `[n]`."""
    contract = json.loads((model / "model.json").read_text(encoding="utf-8"))
    judge = open_exported(ONNX, {ONNX: (model / ONNX).read_bytes()}, 1)
    pixels = [decode_image(path.read_bytes(), contract["image_size"], contract["resize"]) for path in paths]
    outputs = [judge(one[None, ..., None]) for one in pixels]
    probabilities = np.array([float(one["probability"].ravel()[0]) for one in outputs])
    return probabilities, np.array([float(one["distance"].max()) <= 1 for one in outputs])


def score_in_browser(page_file: Path, paths: list[Path]) -> list[dict[str, str]]:
    """Return the rows of the table that the page saves, in the order of the files."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        page = playwright.chromium.launch(executable_path=program, chromium_sandbox=False).new_page()
        page.goto(page_file.resolve().as_uri())
        page.locator("#state", has_text="Ready").wait_for()
        page.set_input_files("#choose", paths)
        page.locator("#state", has_text="Done").wait_for(timeout=600_000)
        with page.expect_download() as download:
            page.click("#save")
        table = Path(folder) / "table.csv"
        download.value.save_as(table)
        with table.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))


def print_differences(expected: np.ndarray, in_range: np.ndarray, rows: list[dict[str, str]]) -> None:
    """Print how the page's rows differ from the pipeline's probabilities and range."""
    scored = np.array([row["status"] == "scored" for row in rows])
    both = scored & in_range
    browser = np.array([float(row["probability"] or "nan") for row in rows])
    differences = np.abs(browser - expected)[both]
    flips = int(np.sum((browser >= 0.5)[both] != (expected >= 0.5)[both]))
    print(f"{len(rows)} files, {int(both.sum())} scored by both, {int(np.sum(scored != in_range))} by one only")
    print(f"difference of probabilities: largest {differences.max():.1e}, median {np.median(differences):.1e}")
    print(f"on the other side of 0.5: {flips}")
    for row in np.array(rows)[~scored]:
        print(f"not scored: {row['file']}: {row['reason']}")


if __name__ == "__main__":
    main()
