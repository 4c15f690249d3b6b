"""Score radiographs: python predict.py IMAGE_OR_FOLDER ... > table.csv. Research software, not a medical device."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read_image(path: Path, size: int, resize: str) -> np.ndarray:
    """Decode an image as model.json describes it, uint8 `[1, size, size, 1]`."""
    with Image.open(path) as image:
        sides = np.array(image.size)
        used = np.full(2, sides.min()) if resize == "crop" else sides
        fitted = np.maximum(1, np.rint(sides * (size / sides.max()))) if resize == "pad" else np.full(2, size)
        drafted = image.draft("L", tuple(np.ceil(sides * 2 * fitted / used).astype(int).tolist()))
        rim, scale = (sides - used) / 2, drafted[1][2] / sides[0] if drafted else 1.0
        box = (np.concatenate([rim, rim + used]) * scale).tolist()
        small = to_grey(image).resize(tuple(fitted.astype(int).tolist()), Image.Resampling.BILINEAR, box=tuple(box))
        small.info = dict(image.info)
        upright, square = ImageOps.exif_transpose(small), Image.new("L", (size, size))
    square.paste(upright, ((size - upright.width) // 2, (size - upright.height) // 2))
    return np.asarray(square)[None, ..., None]


def to_grey(image: Image.Image) -> Image.Image:
    """Return the luminance in 8 bits; transparency becomes black, 10 to 16 bits are scaled."""
    if image.mode[0] in "IF":
        values, depths = np.asarray(image), (10, 12, 14, 16) if image.mode[0] == "I" else ()
        bits = next((bits for bits in depths if 0 <= values.min() <= values.max() < 2**bits), 0)
        if not bits:
            raise ValueError(f"mode {image.mode}, {values.min()} to {values.max()}: store 8 or 16 bits, unsigned")
        return Image.fromarray(np.rint(values * np.float32(255 / (2**bits - 1))).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image.convert("RGBA"))
    return image.convert("L")


folder, table = Path(__file__).parent, csv.writer(sys.stdout)
model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(folder / "model.onnx")
table.writerow(["path", "probability", "calibrated_probability", "decision", "reason"])
for path in [file for one in map(Path, sys.argv[1:]) for file in (sorted(one.rglob("*.*")) if one.is_dir() else [one])]:
    try:
        pixels = read_image(path, model["image_size"], model["resize"])
    except (AssertionError, OSError, SyntaxError, TypeError, ValueError, Image.DecompressionBombError) as error:
        table.writerow([path, "", "", "", f"cannot be read: {error}"])
        continue
    outputs = session.run(["probability", "calibrated_probability", "answer"], {"image": pixels})
    probability, calibrated, answer = (values.item() for values in outputs)
    said = model["answers"][answer]
    table.writerow([path, probability, calibrated, said["decision"], said["reason"]])
