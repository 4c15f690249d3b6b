"""What a hospital exports: DICOM of several vendors in its own folders, a viewer's litter, and a table of findings."""

import io
from dataclasses import dataclass, field

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

# Manufacturer, photometric interpretation, bits, transfer syntax, and how the frontal view is named.
VENDORS = (
    ("SIEMENS", "MONOCHROME2", 12, ExplicitVRLittleEndian, {"ViewPosition": "AP", "BodyPartExamined": "CHEST"}),
    ("Philips", "MONOCHROME1", 10, ImplicitVRLittleEndian, {"ViewPosition": "PA", "BodyPartExamined": "THORAX"}),
    ("GE", "MONOCHROME2", 14, ExplicitVRLittleEndian, {"ViewPosition": "", "SeriesDescription": "Thorax p.a."}),
    ("Agfa", "MONOCHROME1", 12, ExplicitVRLittleEndian, {"ViewPosition": "AP", "BodyPartExamined": "TORAX"}),
)  # fmt: skip
LATERALS = ({"ViewPosition": "LL"}, {"ViewPosition": "", "SeriesDescription": "Thorax seitlich"})
LITTER = {
    "DICOMDIR": b"", "AUTORUN.INF": b"[autorun]", "VIEWER/viewer.exe": b"MZ", "VIEWER/core.dll": b"MZ",
    "VIEWER/help/index.html": b"<html>", "VIEWER/help/style.css": b"", "LIESMICH.TXT": b"Hinweise",
}  # fmt: skip
RADIOGRAPH, REPORT = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.88.11"
ROOT = "1.2.276.0.7230010.3."


@dataclass
class Export:
    """Files by path, and what is true of them: the label of each frontal image, and the paths of the others by kind."""

    files: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    others: dict[str, set[str]] = field(default_factory=lambda: {"lateral": set(), "report": set(), "unread": set()})
    identifiers: set[str] = field(default_factory=set)


def make_export(n_studies=200, n_unlisted=8):
    """Make an export of studies: each a frontal image, every fourth a lateral one, every fifth a report."""
    export, rows = Export(), []
    for number in range(n_studies):
        patient, accession = f"{700000 + number // 2}", f"A{20240000 + number}"
        is_ill, folder = number % 3 == 0, f"DICOM/PA{number // 2:06}/ST{number % 2:06}"
        study = {"PatientID": patient, "AccessionNumber": accession, "StudyInstanceUID": f"{ROOT}{number}"}
        study |= {
            "PatientName": f"Muster^Kind{number}",
            "PatientAge": f"{number % 12:03}Y",
            "PatientSex": "MF"[number % 2],
        }
        frontal = f"{folder}/SE000000/IM000000"
        export.files[frontal] = write(study, radiograph(number, VENDORS[number % 4]))
        if number % 4 == 0:
            lateral = f"{folder}/SE000001/IM000000"
            view = LATERALS[number // 4 % 2]
            export.files[lateral] = write(study, {**radiograph(number + 10_000, VENDORS[number % 4]), **view})
            export.others["lateral"].add(lateral)
        if number % 5 == 0:
            report = f"{folder}/SR000000/SR000000"
            export.files[report] = write(study, {"SOPClassUID": REPORT, "Modality": "SR"})
            export.others["report"].add(report)
        if number < n_studies - n_unlisted:
            finding = (
                ("Pneumonie" if is_ill else "unauffällig") if number % 2 else ("PNEUMONIE" if is_ill else "Normal")
            )
            export.labels[frontal] = "PNEUMONIA" if is_ill else "NORMAL"
            rows.append(f"{accession};{patient};Muster, Kind {number};{number % 12},5;{'mw'[number % 2]};{finding}")
        else:
            export.others["unread"].update(path for path in export.files if path.startswith(f"{folder}/"))
        export.identifiers |= {patient, accession, f"Kind{number}", f"Kind {number}"}
    rows += ["A99999999;799999;Fremd, Kind;7,0;m;Normal"]
    header = "Auftragsnummer;Patientennummer;Name;Alter (Jahre);Geschlecht;Befund"
    export.files["Befunde.csv"] = "\r\n".join([header, *rows, ""]).encode("cp1252")
    return Export({**export.files, **LITTER}, export.labels, export.others, export.identifiers)


def radiograph(seed, vendor):
    """What an image's header holds besides its study: smooth noise in the vendor's bits."""
    name, photometric, bits, syntax, view = vendor
    small = np.random.default_rng(seed).random((7, 7))
    values = np.kron(small, np.ones((10, 10)))[3:67, 3:67] * (2**bits - 1)
    return {
        "SOPClassUID": RADIOGRAPH, "Modality": "DX", "Manufacturer": name, "PhotometricInterpretation": photometric,
        "BitsAllocated": 16, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 0, "SamplesPerPixel": 1,
        "Rows": 64, "Columns": 64, "PixelData": values.astype("<u2").tobytes(), "syntax": syntax, **view,
    }  # fmt: skip


def write(study, values):
    """A file of the study, with a preamble and its meta information."""
    values = {"BodyPartExamined": "CHEST", **values}
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = values.pop("syntax", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = values["SOPClassUID"]
    meta.MediaStorageSOPInstanceUID = generate_uid(ROOT, entropy_srcs=[repr(study), repr(values)])
    dataset = Dataset()
    for keyword, value in {**study, **values, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID}.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = meta
    content = io.BytesIO()
    pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    return content.getvalue()
