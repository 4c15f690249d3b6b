"""Nothing of a DICOM header but harmless values reaches a file."""

from pathlib import Path

import pydicom
import pydicom.data

from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores

# What the header of a chest radiograph may say without naming anybody, and what is kept of it.
HARMLESS = {"CHEST", "PA", "F", "CR", "MONOCHROME1", "Philips Medical Systems"}


def header_values(dataset):
    """Return every text of 4 characters or more in a header, except numbers and what is harmless."""
    texts = {str(element.value).strip() for element in dataset.iterall() if element.VR not in ("OW", "OB", "SQ")}
    return {text for text in texts if len(text) >= 4 and not text.isdigit()} - HARMLESS


def test_no_file_of_a_run_has_a_value_of_a_header(tmp_path, write_folder, delivered, caplog):
    path = Path(pydicom.data.get_testdata_file("RG1_UNCR.dcm", download=False))
    dataset = pydicom.dcmread(path)
    dataset.PatientID, dataset.PatientName, dataset.AccessionNumber = "MRN-00815", "Doe^Jane", "ACC-4711"
    dataset.save_as(tmp_path / "changed.dcm")
    data = (tmp_path / "changed.dcm").read_bytes()
    (tmp_path / "changed.dcm").unlink()
    folder = write_folder({"NORMAL/a.dcm": data, "PNEUMONIA/b.dcm": data.replace(b"CHEST", b"SKULL")})
    made = tmp_path / "data"
    source = ImageSource(str(folder))

    index = nodes.index_labelled(source, IndexCache(made / "cache.sqlite"), delivered())
    index.to_csv(made / "index.csv")
    kept = index[index["status"] == "ok"]
    PixelStores(made / "pixels").fill(PixelRequest(tuple(kept["path"]), tuple(kept["sha256"]), 64, "pad", source.read))

    written = b"".join(file.read_bytes() for file in made.rglob("*") if file.is_file()) + caplog.text.encode()
    values = header_values(dataset)
    assert {"MRN-00815", "Doe^Jane", "ACC-4711"} <= values
    assert len(values) > 15
    assert {value for value in values if value.encode() in written} == set()
    assert index[["status", "group", "view", "device"]].to_numpy().tolist() == [
        ["ok", IndexCache(made / "cache.sqlite").patient_key.group_of("MRN-00815"), "PA", "Philips Medical Systems"],
        ["other object", "PNEUMONIA/b.dcm", "", ""],
    ]
