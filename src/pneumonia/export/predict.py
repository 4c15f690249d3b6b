"""Judge radiographs: python predict.py IMAGE_OR_FOLDER ... > table.csv. Research software, not a medical device."""

import csv
import json
import sys
from math import ceil
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read_image(path: Path, size: int, resize: str) -> np.ndarray:
    """Decode an image as model.json describes it, uint8 `[size, size, 1]`."""
    with Image.open(path) as image:
        width, height = image.size
        cut = [(side - min(image.size)) / 2 if resize == "crop" else 0.0 for side in image.size]
        scale = [size / max(image.size) if resize == "pad" else size / side for side in image.size]
        fitted = max(1, round(width * scale[0])), max(1, round(height * scale[1]))
        if resize != "pad":
            fitted = size, size
        kept = [side - 2 * rim for side, rim in zip(image.size, cut, strict=True)]
        wanted = [ceil(side * 2 * fit / part) for side, fit, part in zip(image.size, fitted, kept, strict=True)]
        image.draft("L", (wanted[0], wanted[1]))
        shrunk = image.width / width
        box = [shrunk * edge for edge in (cut[0], cut[1], width - cut[0], height - cut[1])]
        small = to_grey(image).resize(fitted, Image.Resampling.BILINEAR, box=(box[0], box[1], box[2], box[3]))
        small.info = dict(image.info)
        pixels = np.asarray(ImageOps.exif_transpose(small))
    top, left = (size - pixels.shape[0]) // 2, (size - pixels.shape[1]) // 2
    return np.pad(pixels, ((top, size - top - pixels.shape[0]), (left, size - left - pixels.shape[1])))[..., None]


def to_grey(image: Image.Image) -> Image.Image:
    """Return the luminance in 8 bits; transparency lies on black, 10 to 16 bits are scaled."""
    if image.mode[0] in "IF":
        values = np.asarray(image)
        most = next(2.0**bits - 1 for bits in (10, 12, 14, 16) if image.mode != "F" and values.max() < 2**bits)
        return Image.fromarray(np.rint(values * np.float32(255 / most)).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image.convert("RGBA"))
    return image.convert("L")


folder = Path(__file__).parent
model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(folder / "model.onnx")
given = [Path(name) for name in sys.argv[1:]]
table = csv.writer(sys.stdout)
table.writerow(["path", "probability", "decision", "reason"])
for path in sorted(found for one in given for found in (one.rglob("*.*") if one.is_dir() else [one])):
    pixels = read_image(path, model["image_size"], model["resize"])
    probability, distance = session.run(["probability", "distance"], {"image": pixels[None]})
    kind = model["range"]["kinds"][distance[0].argmax()]
    reason = model["range"]["reasons"][kind] if distance[0].max() > 1 else ""
    answer = "" if reason else model["class_names"][int(probability[0, 0] >= model["threshold"])]
    table.writerow([path, float(probability[0, 0]), answer, reason])
