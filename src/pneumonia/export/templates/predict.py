"""Score radiographs: python predict.py IMAGE_OR_FOLDER ... > table.csv. Research software, not a medical device.

How an image is read is in the folder pneumonia; what its probability means, and whether it is in range, in model.onnx.
"""

import csv
import hashlib
import io
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the folder stays as it was exported
try:
    import onnxruntime

    from pneumonia.base.formulas import disarm
    from pneumonia.images.depth import choose_bits
    from pneumonia.images.examine import read_values
    from pneumonia.pixels.decoding import fingerprint
    from pneumonia.pixels.one_image import Read, Reading, may_be_deep, read_image
except ModuleNotFoundError as error:
    sys.exit(f"The package {error.name} is missing. Install: pip install numpy onnxruntime pillow simplejpeg pydicom")

COLUMNS = ("path", "sha256", "probability", "decision", "reason")
OUTPUTS = ("probability", "answer")


def open_model(folder: Path) -> tuple[dict, onnxruntime.InferenceSession]:
    """Open a model, and refuse one that is not as it was exported."""
    try:
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        content = (folder / "model.onnx").read_bytes()
        is_whole = hashlib.sha256(content).hexdigest() == model["sha256"]["model.onnx"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        sys.exit(f"The model in {folder} cannot be read ({error}). Export it again.")
    if not is_whole:
        sys.exit(f"{folder / 'model.onnx'} is not the file that model.json describes. Export it again.")
    return model, onnxruntime.InferenceSession(content)


def list_files(given: Path) -> list[Path]:
    """List a file, or all files below a folder, whatever their names."""
    below = sorted(path for path in given.rglob("*") if path.is_file() or path.is_symlink())
    return below or [given]


def find_ranges(paths: list[Path]) -> dict[str, int]:
    """Return the range of values of files that do not say it: that of the images of a folder and a device."""
    found = {}
    for path in paths:
        try:
            values = read_values(path.read_bytes()) if may_be_deep(path.name) else None
        except OSError:
            continue  # the file's own row says so
        if values is not None and values.detector:
            found[str(path)] = values
    return choose_bits(found)


def read_file(path: Path, how: Reading, bits: int) -> Read:
    """Read and decode a file."""
    try:
        return read_image(path.read_bytes(), path.name, how, bits)
    except OSError as error:
        return Read(str(path), "", f"cannot be read: {error.strerror}", None)


def main() -> None:
    """Write one row per file."""
    if len(sys.argv) < 2:
        sys.exit("Name images or folders: python predict.py IMAGE_OR_FOLDER ... > table.csv")
    model, session = open_model(Path(__file__).parent)
    how = Reading(model["image_size"], model["resize"])
    if fingerprint(*how[:2]) != model["lineage"]["pixels"]:
        sys.stderr.write("Pillow is not the one of the model's training: pixels of JPEG files may differ a little.\n")
    # Names may hold bytes that are no text.
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", errors="backslashreplace", newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    paths = [path for given in sys.argv[1:] for path in list_files(Path(given))]
    ranges = find_ranges(paths)
    for path in paths:
        read = read_file(path, how, ranges.get(str(path), 0))
        cells = ["", "", read.problem]
        if read.pixels is not None:
            probability, answer = session.run(OUTPUTS, {"image": read.pixels[None, ..., None]})
            said = model["answers"][answer.item()]
            cells = [probability.item(), said["decision"], said["reason"]]
        table.writerow([disarm(cell) if isinstance(cell, str) else cell for cell in (str(path), read.sha256, *cells)])


if __name__ == "__main__":
    main()
