"""What a program must know to use an exported model: the file `model.json` beside it."""

import ast
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pneumonia.audits.external import ExternalMetrics
from pneumonia.base.files import checksum_path
from pneumonia.export.convert import ANSWER, DISTANCE, ETIOLOGY, IMAGE, MAP, ONNX, PROBABILITY, Files
from pneumonia.export.parity import ExportParity, check_parity, digests, open_exported
from pneumonia.metrics.decisions import Decision
from pneumonia.model.lineage import check_weights
from pneumonia.pixels.decoding import LIMITS, MAX_FILE_BYTES
from pneumonia.predictor.image_range import KINDS, OUTSIDE
from pneumonia.predictor.predictor import Predictor, answers
from pneumonia.report.provenance import ImageOrigin, say_adaptation, say_population, source_of
from pneumonia.report.record import RunRecord

CONTRACT, SCRIPT = "model.json", "predict.py"
PACKAGE = Path(__file__).parents[1]
FORMAT = 3
RESULTS = ("auc", "sensitivity", "specificity")
PACKAGES = ("tensorflow", "keras", "onnx", "tf2onnx", "ai-edge-litert", "pillow")
TRACED = ("run_id", "commit", "versions", "manifest_sha256", "pixels", "positive_class", "weights_sha256")
NOTICE = "Research software. Not a medical device. No decision about a patient may rest on it."
ORIGINS = {
    ImageOrigin.KERMANY: "Published radiographs from one hospital, children aged 1 to 5, antero-posterior (Kermany et "
    "al. 2018, doi:10.17632/rscbjbr9sj.2, CC BY 4.0).",
    ImageOrigin.SYNTHETIC: "",
    ImageOrigin.UNKNOWN: "The origin of the images was not stated.",
}
MEANINGS = {
    PROBABILITY: "of the positive class, on the scale of the threshold: the mean of the model's networks and views, "
    "calibrated as calibration says",
    ANSWER: "the place in answers of what to say: the decision, or, out of range, none and the reason",
    DISTANCE: "from the training images by range.kinds, divided by the bound; above 1 in either: out of range",
    MAP: "what supports the positive class, in the first network's view of the whole image, from 0 to its peak at 1",
    ETIOLOGY: "probabilities of the negative class and of each of etiologies; they add up to 1",
}
SQUARING = {
    "squeeze": "The whole image is resized to the square; its proportions are lost.",
    "pad": "The image keeps its proportions: its longer side becomes the side of the square; black borders fill the "
    "rest on both sides.",
    "crop": "The central square, as wide as the image's shorter side, is cut out and resized.",
}
DECODER = (
    "8-bit luminance (ITU-R 601-2). An alpha channel is ignored where all of it is opaque; an image with transparency "
    "is refused. Where a file does not say the range of its values of 16 bits, it is the smallest of 8, 10, 12, 14 or "
    "16 bits that holds those of all images of its folder and device; DICOM is shown by its own tables or window. "
    "A JPEG is decoded at 1/2, 1/4 or 1/8 of its size, the smallest that is at least twice the target width and height "
    "(oversampling of 2). {squaring} Resizing is antialiased: a triangle filter as wide as the step (Pillow's "
    "BILINEAR). EXIF orientation is applied after resizing. Grey levels are not stretched otherwise: the network "
    "standardises each image itself."
)


def complete(
    files: Files,
    export_parity: ExportParity,
    predictor: Predictor,
    results: Mapping[str, Any],
    run_record: RunRecord,
) -> Files:
    """Add the contract, and a script that uses it, to exported files that passed the parity check.

    Args:
        files: The export.
        export_parity: The record of `parity.measure_parity`.
        predictor: The model with its decision and its range.
        results: "test": the metrics of test; "external": those of another place, with its name as `place`, or None.
        run_record: Says who the patients are, and what the model was made from.

    Raises:
        UserError: If the files did not pass.
    """
    check_parity(export_parity, files)
    check_weights(export_parity, predictor.model, "export_parity")
    lineage: Mapping[str, Any] = run_record["model"]
    check_weights(lineage, predictor.model, "run_record")
    script = script_files()
    contract = {
        "format": FORMAT,
        **_describe_tensors(files, predictor.image_size),
        **_describe_image(predictor),
        **_describe_decision(predictor, lineage["etiologies"]),
        "results": {name: _result(record) for name, record in results.items()},
        "trained_on": say_training_images(run_record),
        "lineage": {name: lineage[name] for name in TRACED},
        "versions": {"model": predictor.version, **{name: metadata.version(name) for name in PACKAGES}},
        "sha256": {**export_parity["sha256"], **digests(script)},
        "licence": say_licence(run_record),
        "notice": NOTICE,
    }
    said = {CONTRACT: (json.dumps(contract, indent=2, allow_nan=False) + "\n").encode()}
    checksum = f"{digests(said)[CONTRACT]}  {CONTRACT}\n".encode()
    return {**files, **script, **said, checksum_path(Path(CONTRACT)).name: checksum}


def script_files() -> Files:
    """Return the script, and beside it those modules of this project that it imports, with the data of their packages.

    So the script reads images by the project's own rules.
    """
    found: Files = {}
    _add_module(Path("__init__.py"), found)
    _add_module(Path("export/templates", SCRIPT), found)
    return {SCRIPT if path.endswith(SCRIPT) else f"pneumonia/{path}": content for path, content in found.items()}


def _add_module(path: Path, found: Files) -> None:
    """Add a module, the data beside it, and what it imports, by their paths below the package."""
    if path.as_posix() in found or not (PACKAGE / path).is_file():
        return
    found[path.as_posix()] = (PACKAGE / path).read_bytes()
    found.update(
        {(path.parent / data.name).as_posix(): data.read_bytes() for data in (PACKAGE / path.parent).glob("*.json")}
    )
    for node in ast.walk(ast.parse(found[path.as_posix()])):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pneumonia."):
            for name in (str(node.module), *(f"{node.module}.{imported.name}" for imported in node.names)):
                _add_module(Path(*name.split(".")[1:]).with_suffix(".py"), found)


def say_training_images(run_record: RunRecord) -> str:
    """Say where the model's images come from, as far as stated, and how many there were."""
    data = run_record["data"]
    groups = "" if data["n_images"] == data["n_groups"] else f" of {data['n_groups']:,} groups"
    counted = f"{data['n_images']:,} images{groups}, of which validation and test were held out."
    return " ".join(
        filter(None, (ORIGINS[source_of(run_record)], say_population(run_record), counted, say_adaptation(run_record)))
    )


def say_licence(run_record: RunRecord) -> str:
    """Name the model's licence: that of the code for drawn images; of others a person must state it."""
    code = str(metadata.metadata("pneumonia")["License-Expression"])
    return code if source_of(run_record) is ImageOrigin.SYNTHETIC else f"not stated; that of the code is {code}"


def find_external(external_records: Mapping[str, ExternalMetrics], model_version: str) -> Mapping[str, Any] | None:
    """Return a model's newest metrics on external images; None if it was never tested on any.

    Args:
        external_records: The records of `audits.external.measure_external` by version.
        model_version: The version of the model.
    """
    versions = [name for name, record in external_records.items() if record.get("model_version") == model_version]
    if not versions:
        return None
    newest = external_records[max(versions)]
    return {**newest["external"], "place": newest.get("place")}


def _describe_tensors(files: Files, size: int) -> dict[str, Any]:
    """Describe input and outputs as a run of the ONNX file has them; `map` is None where it has none."""
    image = np.zeros((1, size, size, 1), np.uint8)
    said = open_exported(ONNX, files)(image)
    outputs = {name: {**_tensor(values), "meaning": MEANINGS[name]} for name, values in said.items()}
    shown = {"shape": outputs[MAP]["shape"][1:]} if MAP in outputs else None
    return {"input": {"name": IMAGE, **_tensor(image)}, "outputs": outputs, "map": shown}


def _tensor(values: npt.NDArray) -> dict[str, Any]:
    return {"shape": [None, *values.shape[1:]], "type": values.dtype.name}


def _describe_image(predictor: Predictor) -> dict[str, Any]:
    squaring = SQUARING[predictor.resize]
    decoder = DECODER.format(squaring=squaring)
    limits = {"min_side": LIMITS.min_side, "max_pixels": LIMITS.max_pixels, "max_file_bytes": MAX_FILE_BYTES}
    return {"image_size": predictor.image_size, "resize": predictor.resize, "limits": limits, "decoder": decoder}


def _describe_decision(predictor: Predictor, etiologies: list[str]) -> dict[str, Any]:
    return {
        "class_names": list(predictor.class_names),
        **{name: predictor.decision[name] for name in ("calibration", "threshold")},
        "place": _describe_place(predictor.decision),
        "answers": [{"decision": decision, "reason": reason} for decision, reason in answers(predictor.class_names)],
        "range": {"kinds": list(KINDS), "outside": OUTSIDE},
        "etiologies": etiologies or None,
    }


def _describe_place(decision: Decision) -> dict[str, Any] | None:
    """Say for which place threshold and calibration were fitted; None where they are the model's own."""
    if "place" not in decision:
        return None
    return {name: decision[name] for name in ("place", "fitted_on", "sensitivity", "specificity")}


def _result(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if record is None:
        return None
    told = {**{name: record[name] for name in RESULTS}, "n": record["n"], "groups": record["n_groups"]}
    return told | {name: record[name] for name in ("place",) if name in record}
