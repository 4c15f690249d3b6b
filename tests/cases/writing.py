"""The cases as files, each with what becomes of it, for programs that are not Python: see `write_cases`.

`python -m tests.cases.writing FOLDER` writes them.
"""

import io
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pydicom
import yaml
from PIL import Image
from pydicom.encaps import encapsulate
from tests.images.dicom_files import make
from tests.pipelines.ingest.faulty_images import frame

from pneumonia.images.dicom_codecs import first_frame
from pneumonia.pixels.decoding import decode_image

HERE = Path(__file__).parent
RULES = ("squeeze", "pad", "crop")
SIZE = 32


def read_table(name):
    """Return a table of this folder."""
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


def alternatives():
    """Give each DICOM object of the table: header, refusal, view, notes; values with alternatives one by one."""
    for header, refusal, view, notes in read_table("dicom.yml")["objects"]:
        named = [(name, value if isinstance(value, list) else [value]) for name, value in header.items()]
        for chosen in itertools.product(*([(name, one) for one in values] for name, values in named)):
            yield dict(chosen), refusal, view, notes


def tiled(values, kind=None):
    """Repeat rows of values, or one row, until no side is shorter than that of a usable image."""
    array = np.atleast_2d(np.array(values, kind))
    repeats = [-(-SIZE // side) for side in array.shape[:2]]
    return np.tile(array, [*repeats, *[1] * (array.ndim - 2)])


def rows(values, **tags):
    """Return the header of a DICOM image whose rows have these values."""
    pixels = tiled(values)
    size = {"Rows": pixels.shape[0], "Columns": pixels.shape[1]}
    return {**size, "PixelData": pixels.astype(np.uint16).tobytes(), **tags}


def png(pixels):
    """Return a PNG of numbers, or of lists of channels."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def twice(data):
    """Return a DICOM file whose pixel data hold its image twice, of which the header says nothing."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    is_packed = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    pixels = dataset.PixelData
    dataset.PixelData = encapsulate([first_frame(pixels)] * 2) if is_packed else pixels * 2
    content = io.BytesIO()
    dataset.save_as(content)
    return content.getvalue()


def transcoded(data, syntax, folder):
    """Return a DICOM file in another transfer syntax, by its name in GDCM."""
    import gdcm

    (folder / "source").write_bytes(data)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(folder / "source"))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(folder / "source"))
    assert writer.Write()
    data = (folder / "source").read_bytes()
    (folder / "source").unlink()
    return data


def odd_files():
    """Give files that lack something, or have another form: name, bytes, how the refusal begins."""
    whole, grey = make(ViewPosition="PA"), Image.fromarray(tiled([[0, 85], [170, 255]], np.uint8))
    start = whole.index(b"\x08\0\5\0CS")  # of the data set
    syntax = whole.index(b"\2\0\x10\0UI")
    end = syntax + 8 + int.from_bytes(whole[syntax + 6 : syntax + 8], "little")
    bare = pydicom.dcmread(io.BytesIO(whole))
    del bare.file_meta
    implicit = io.BytesIO()
    bare.save_as(implicit, implicit_vr=True, little_endian=True)
    yield "without meta information", whole[:132] + whole[start:], ""
    yield "without meta information, implicit", implicit.getvalue(), ""
    yield "without preamble and meta information", whole[start:], ""
    yield "without transfer syntax", whole[:syntax] + whole[end:], ""
    yield "cut within the pixel data", whole[:-99], "truncated: its pixel data end before the image does"
    content = io.BytesIO()
    grey.convert("CMYK").save(content, "JPEG")
    yield "CMYK", content.getvalue(), "colour mode CMYK: store it in grey of 8 or 16 bits"
    yield "PNG without its end", png(np.asarray(grey))[:-12], "truncated: its end is missing"


def write_cases(folder):
    """Write the files, numbered, and `cases.json`.

    That lists their names, how a refusal begins ("" for none) and, where told, the grey levels, and the square that the
    pipeline makes of them by each rule.
    """
    cases = []

    def add(name, data, refusal="", grey=None, squares=None):
        (folder / str(len(cases))).write_bytes(data)
        cases.append({"name": name, "refusal": refusal, "grey": grey, "squares": squares})

    for header, refusal, _, _ in alternatives():
        add(str(header), make(**{"ViewPosition": "PA", **header}), refusal)
    for name, (bits, header, values, grey) in read_table("dicom.yml")["pixels"].items():
        data = make(**rows(values, BitsStored=bits, **{"HighBit": bits - 1, **header}))
        add(name, data, grey=tiled(grey).ravel().tolist())
    tables = read_table("cases.yml")
    for name, (kind, values, said) in tables["png"].items():
        refusal, grey = (said, None) if isinstance(said, str) else ("", said)
        pixels = tiled(values, kind)
        of_value = None if grey is None else tiled(np.reshape(grey, np.shape(values)[:2])).ravel().tolist()
        add(name, png(pixels), refusal, of_value)
    ramp = np.arange(40 * 48) * 2
    for name, (position, byte, refusal) in tables["jpeg"].items():
        add(name, frame(position, byte), refusal)
    for syntax in tables["transfer syntaxes"]:
        data = transcoded(make(), syntax, folder)
        add(syntax, data, grey=np.rint(ramp * (255 / 4095)).astype(int).tolist())
        add(f"{syntax}, twice", twice(data), "several frames in one file")
    for name, data, refusal in odd_files():
        grey = None if refusal else np.rint(ramp * (255 / 4095)).astype(int).tolist()
        add(name, data, refusal, grey)
    add(
        "deflated",
        make(TransferSyntaxUID="1.2.840.10008.1.2.1.99"),
        grey=np.rint(ramp * (255 / 4095)).astype(int).tolist(),
    )
    levels, swapped = tiled([0, 85, 170, 255]), tiled([85, 0, 255, 170]).astype(np.uint8).tobytes()
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": swapped}
    data = make(**{**rows([0] * 4), **eight}, big_endian=True)
    add("8 bits in words, big-endian", data, grey=levels.ravel().tolist())
    signed = (ramp - 900).astype("<i2").tobytes()
    data = transcoded(make(PixelRepresentation=1, PixelData=signed), "JPEG2000Lossless", folder)
    element = b"\x28\x00\x03\x01US\x02\x00"
    add("signed under an unsigned header", data.replace(element + b"\1", element + b"\0"), "signed values in the pixel")
    for width, height in tables["squares"]:
        data = png(np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8))
        squares = {rule: decode_image(data, SIZE, rule).ravel().tolist() for rule in RULES}
        add(f"{width} x {height}", data, squares=squares)
    (folder / "cases.json").write_text(json.dumps({"size": SIZE, "files": cases}), encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_cases(target)
