"""Score radiographs: python predict.py IMAGE_OR_FOLDER ... > table.csv. Research software, not a medical device.

How an image is read is in the folder pneumonia; what its probability means, and whether it is in range, in model.onnx.
"""

import csv
import errno
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def read_bytes(path: Path) -> bytes:
    """Read a file; what is neither file nor folder, such as a pipe, might be read without end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.ENODEV, "Is no file")
    return path.read_bytes()


def read_exported(name: str, sha256: str) -> bytes:
    """Read a file of this folder; refuse one that is not as it was exported."""
    content = read_bytes(FOLDER / name)
    if hashlib.sha256(content).hexdigest() != sha256:
        sys.exit(f"{FOLDER / name} is not as it was exported. Export it again.")
    return content


def open_contract() -> dict:
    """Read what the model is; refuse files that are not as they were exported, before any of them is run."""
    name = "model.json.sha256"
    try:
        sha256, name = read_bytes(FOLDER / name).decode().split()
        model = json.loads(read_exported(name, sha256))
        for name, sha256 in model["sha256"].items():
            if name == "model.onnx" or name.startswith("pneumonia/"):
                read_exported(name, sha256)
    except (OSError, ValueError) as error:
        sys.exit(f"{FOLDER / name} cannot be read ({error}). Export it again.")
    return model


sys.dont_write_bytecode = True  # the folder stays as it was exported
MODEL = open_contract() if __name__ == "__main__" else {}
try:
    import onnxruntime

    from pneumonia.base.text import disarm
    from pneumonia.images.depth import choose_bits
    from pneumonia.images.examine import read_values
    from pneumonia.pixels.decoding import Read, ReadingSettings, fingerprint, may_be_deep, read_image
except ModuleNotFoundError as error:
    sys.exit(f"The package {error.name} is missing. Install: pip install numpy onnxruntime pillow simplejpeg pydicom")

COLUMNS = ("path", "sha256", "probability", "decision", "reason")
OUTPUTS = ("probability", "answer")


def list_files(given: Path) -> list[Path]:
    """List a file, or all files below a folder, whatever their names."""
    try:
        below = sorted(path for path in given.rglob("*") if path.is_file() or path.is_symlink())
    except OSError:  # its row says so
        below = []
    return below or [given]


def find_ranges(paths: list[Path], how: ReadingSettings) -> dict[str, int]:
    """Return the range of values of files that do not say it: that of the images of a folder and a device."""
    found = {}
    for path in paths:
        try:
            values = read_values(read_bytes(path), how.limits) if may_be_deep(path.name) else None
        except OSError:
            continue  # the file's own row says so
        if values is not None and values.detector:
            found[str(path)] = values
    return choose_bits(found)


def read_file(path: Path, how: ReadingSettings, bits: int) -> Read:
    """Read and decode a file."""
    try:
        return read_image(read_bytes(path), path.name, how, bits)
    except OSError as error:
        return Read(str(path), "", f"cannot be read: {error.strerror}", None)


def main() -> None:
    """Write one row per file."""
    if len(sys.argv) < 2 or {"", "-h", "--help"} & {*sys.argv} or sys.stdout is None:
        sys.exit("Name images or folders, and where to write: python predict.py IMAGE_OR_FOLDER ... > table.csv")
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx")
    how = ReadingSettings(MODEL["image_size"], MODEL["resize"])
    if fingerprint(*how[:2]) != MODEL["lineage"].get("pixels"):
        sys.stderr.write("Pillow is not the one of the model's training: pixels of JPEG files may differ a little.\n")
    if place := MODEL.get("place"):
        sys.stderr.write(f"Threshold and calibration are those of {place['place']}.\n")
    try:
        # Names may hold bytes that are no text.
        with io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", errors="backslashreplace", newline="") as out:
            write_rows(csv.writer(out), session, how)
    except OSError as error:
        sys.exit(f"The table is not complete: it could not be written ({error.strerror}).")


def write_rows(table: Any, session: Any, how: ReadingSettings) -> None:
    """Score the files."""
    table.writerow(COLUMNS)
    paths = [path for given in sys.argv[1:] for path in list_files(Path(given))]
    ranges = find_ranges(paths, how)
    for path in paths:
        read = read_file(path, how, ranges.get(str(path), 0))
        cells = ["", "", read.problem]
        if read.pixels is not None:
            probability, answer = session.run(OUTPUTS, {"image": read.pixels[None, ..., None]})
            said = MODEL["answers"][answer.item()]
            cells = [probability.item(), said["decision"], said["reason"]]
        table.writerow([disarm(cell) if isinstance(cell, str) else cell for cell in (str(path), read.sha256, *cells)])


if __name__ == "__main__":
    main()
