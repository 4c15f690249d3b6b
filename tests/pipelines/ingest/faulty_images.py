"""Faulty files, made on the fly: a file name, how the reason for its refusal begins, and its bytes.

Another kind of fault takes one more line.
"""

import base64
import gzip
import io
import json
import struct
import warnings
import zlib

import numpy as np
from PIL import Image
from tests.images.dicom_files import make

MOST_BYTES = 100_000
HEADER = "damaged: its header cannot be read"


def draw(seed=0):
    """Smooth random grey values, 80 x 64 pixels."""
    values = np.random.default_rng(seed).integers(0, 256, (12, 15), np.uint8)
    return Image.fromarray(values).resize((80, 64), Image.Resampling.BICUBIC)


def encode(image, image_format="JPEG", **options):
    """The image as a file's bytes."""
    content = io.BytesIO()
    if "append_images" in options:  # Pillow leaves traces of a format in an image: copies are saved
        options = {**options, "append_images": [other.copy() for other in options["append_images"]]}
    with warnings.catch_warnings(action="ignore"):
        image.copy().save(content, image_format, **options)
    return content.getvalue()


def png(width=64, height=64, depth=8, colour_type=0, data=None, changed=(), interlace=0):
    """A PNG of chunks of our own making: Pillow writes no broken ones. `changed` replaces chunks by name."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    data = (b"\0" + bytes(range(64))) * 64 if data is None else data
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(data), b"IEND": b""} | dict(changed)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks.items() if one[1] is not None)


def chunk(kind, data):
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def without(marker, data=None):
    """A JPEG without its segments of this marker."""
    return with_segment(marker, lambda segment: b"", data)


def with_segment(marker, change, data=None):
    """A JPEG whose segments with this marker are changed; `change` gets each from the marker on."""
    data = JPEG if data is None else data
    whole, position = data[:2], 2
    while data[position + 1] != 0xDA:
        end = position + 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
        segment = data[position:end]
        whole += change(segment) if segment[1] == marker else segment
        position = end
    return whole + (change(data[position:]) if marker == 0xDA else data[position:])


def put(data, position, *values):
    """The bytes, overwritten from this position on."""
    return data[:position] + bytes(values) + data[position + len(values) :]


def frame(position, *values):
    """A JPEG whose frame header is overwritten from this position on."""
    return with_segment(0xC0, lambda segment: put(segment, position, *values))


def tiff(tags, order="<", pixels=bytes(4096)):
    """A grey TIFF of 64 x 64 pixels with its tags changed; without value it is left out, two are shorts."""
    values = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 64, 279: len(pixels)} | tags
    rows = [
        struct.pack(f"{order}HHIHH", tag, 3, 2, *value)
        if isinstance(value, tuple)
        else struct.pack(f"{order}HHII", tag, 4, 1, value)
        for tag, value in sorted(values.items())
        if value is not None
    ]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(pixels))
    return head + pixels + struct.pack(f"{order}H", len(rows)) + b"".join(rows) + bytes(4)


IMAGE, OTHER = draw(), draw().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
JPEG, PNG, GIF, BMP, TIFF = (encode(IMAGE, name, **how) for name, how in (
    ("JPEG", {"quality": 95}), ("PNG", {}), ("GIF", {}), ("BMP", {}), ("TIFF", {})
))  # fmt: skip
WEBP = encode(IMAGE.convert("RGB"), "WEBP", lossless=True)
PROGRESSIVE = encode(IMAGE, quality=95, progressive=True)
RGBA = Image.merge("RGBA", [IMAGE, IMAGE, IMAGE, OTHER])
DEEP = Image.fromarray(np.asarray(IMAGE).astype(np.uint16) * 257)
BOTH = {"save_all": True, "append_images": [OTHER]}
MUCH = zlib.compress(bytes(5 * 10**7))

NOT_IMAGES = {
    "empty.jpeg": ("empty file", b""),
    "one byte.jpeg": ("not an image", b"\xff"),
    "zeros.jpeg": ("not an image", bytes(5000)),
    "ones.jpeg": ("not an image", b"\xff" * 5000),
    "random bytes.jpeg": ("not an image", np.random.default_rng(9).bytes(5000)),
    "text.jpeg": ("text, not an image", b"no image here\n"),
    "spaces.jpeg": ("text, not an image", b" \t\r\n" * 50),
    "UTF-16 text.jpeg": ("not an image", "kein Bild".encode("utf-16")),
    "notes": ("text, not an image", b"remember the milk"),
    "web page.jpeg": ("text, not an image", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"),
    "drawing.jpeg": ("text, not an image", b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"></svg>'),
    "record.jpeg": ("text, not an image", json.dumps({"error": "rate limit"}).encode()),
    "table.jpeg": ("text, not an image", b"path,label\na.png,1\n"),
    "pointer of git-lfs.jpeg": ("text, not an image", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "in base64.jpeg": ("text, not an image", base64.b64encode(JPEG)),
    "document.jpeg": ("not read: PDF format", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n\0"),
    "zip.jpeg": ("not an image", b"PK\x05\x06" + bytes(18)),
    "in gzip.jpeg": ("not an image", gzip.compress(JPEG, mtime=0)),
    "database.jpeg": ("not an image", b"SQLite format 3\0" + bytes(100)),
    "program.jpeg": ("not an image", b"\x7fELF" + bytes(100)),
    "film.jpeg": ("not an image", b"\0\0\0\x20ftypisom" + bytes(100)),
    "array.npy": ("not read: an array of NumPy format", b"\x93NUMPY\x01\0" + bytes(100)),
    "NIfTI.nii": ("not read: NIfTI format", struct.pack("<i", 348) + bytes(344)),
    "postscript.eps": ("text, not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n"),
    "photoshop.psd": ("not read: Photoshop's format", b"8BPS\0\x01" + bytes(100)),
    "photograph.heic": ("not read: HEIF format", b"\0\0\0\x18ftypheic" + bytes(100)),
    "still.avif": ("not read: AVIF format", b"\0\0\0\x20ftypavif" + bytes(100)),
    "still.jxl": ("not read: JPEG XL format", b"\xff\x0a" + bytes(100)),
    "volume.mha": ("not read: MetaImage format", b"ObjectType = Image\nNDims = 2\n"),
    "volume.nrrd": ("not read: NRRD format", b"NRRD0004\ntype: short\n"),
    "icon.ico": ("not an image", encode(IMAGE, "ICO")),
    "JPEG 2000.jp2": ("not read: JPEG 2000 format. Store it as PNG of 8 or 16 bits", encode(IMAGE, "JPEG2000")),
    "portable.pgm": ("not read: a portable map format. Store it as PNG", encode(IMAGE, "PPM")),
    "targa.tga": ("not an image", encode(IMAGE, "TGA")),
    "paintbrush.pcx": ("not an image", encode(IMAGE, "PCX")),
    "silicon.sgi": ("not an image", encode(IMAGE, "SGI")),
    "direct.dds": ("not an image", encode(RGBA, "DDS")),
    "dicom.dcm": ("no pixel data", bytes(128) + b"DICM" + bytes(200)),
    "dicom without a header.dcm": ("not an image", bytes(332)),
    "dicom, preamble alone.dcm": ("no pixel data", bytes(128) + b"DICM"),
}
JPEGS = {
    "cut in half.jpeg": ("truncated", JPEG[: len(JPEG) // 2]),
    "without its last two bytes.jpeg": ("truncated: its end is missing", JPEG[:-2]),
    "without its last byte.jpeg": ("truncated: its end is missing", JPEG[:-1]),
    "cut, end put back.jpeg": (
        "truncated: image data ends before the image does",
        encode(IMAGE.resize((640, 512)), quality=95)[:20_000] + b"\xff\xd9",
    ),
    "progressive, cut.jpeg": ("truncated", PROGRESSIVE[:-300]),
    "progressive, header alone.jpeg": ("truncated", PROGRESSIVE[:300]),
    "some data missing.jpeg": ("truncated", JPEG[:900] + JPEG[1412:]),
    "zeros inside its data.jpeg": ("damaged: Corrupt JPEG data", put(JPEG, 900, *bytes(512))),
    "data of two images.jpeg": ("damaged: Corrupt JPEG data", JPEG[:1000] + encode(draw(1), quality=95)[1000:]),
    "progressive, some data missing.jpeg": ("damaged: Corrupt JPEG data", PROGRESSIVE[:600] + PROGRESSIVE[700:]),
    "arithmetic frame.jpeg": ("damaged: Corrupt JPEG data", frame(1, 0xC9)),
    "header alone.jpeg": ("truncated", JPEG[:300]),
    "header cut.jpeg": ("truncated", JPEG[:30]),
    "start marker alone.jpeg": (HEADER, JPEG[:2]),
    "start and end alone.jpeg": (HEADER, JPEG[:2] + JPEG[-2:]),
    "no start marker.jpeg": ("not an image", JPEG[2:]),
    "first byte changed.jpeg": ("not an image", put(JPEG, 0, 0xFE)),
    "bytes before it.jpeg": ("not an image", b"HTTP/1.1 200 OK\r\n\r\n" + JPEG),
    "byte order mark before it.jpeg": ("not an image", b"\xef\xbb\xbf" + JPEG),
    "read as text.jpeg": ("not an image", JPEG.decode("utf-8", "replace").encode()),
    "line ends changed.jpeg": ("truncated", JPEG.replace(b"\n", b"\r\n").replace(b"\xff\xc0", b"\xff\xc0\r")),
    "no tables of quantisation.jpeg": ("damaged", without(0xDB)),
    "no frame.jpeg": (HEADER, without(0xC0)),
    "no scan.jpeg": ("damaged", with_segment(0xDA, lambda segment: b"\xff\xd9")),
    "frame without height.jpeg": (HEADER, frame(5, 0, 0)),
    "frame without width.jpeg": (HEADER, frame(7, 0, 0)),
    "frame of 65,535 pixels.jpeg": ("more than", frame(5, 255, 255, 255, 255)),
    "frame twice as high.jpeg": ("truncated: image data ends before the image does", frame(5, 0, 128)),
    "frame of 12 bits.jpeg": ("not read: 12-bit JPEG format. Store it as PNG", frame(4, 12)),
    "frame of no channel.jpeg": (HEADER, frame(9, 0)),
    "frame of five channels.jpeg": (HEADER, frame(9, 5)),
    "frame without sampling.jpeg": ("damaged", frame(11, 0)),
    "frame too short.jpeg": (HEADER, frame(3, 4)),
    "lossless frame.jpeg": ("not read: lossless JPEG format. Store it as PNG", frame(1, 0xC3)),
    "JPEG-LS.jpeg": ("not read: JPEG-LS format. Store it as PNG", frame(1, 0xF7)),
    "segment longer than the file.jpeg": ("truncated", with_segment(0xE0, lambda segment: put(segment, 2, 255, 255))),
    "Huffman table of noise.jpeg": (
        "damaged",
        with_segment(0xC4, lambda table: table[:5] + b"\xff" * (len(table) - 5)),
    ),
    "scan of another channel.jpeg": ("damaged", with_segment(0xDA, lambda scan: put(scan, 5, 9))),
    "large.jpeg": (f"more than {MOST_BYTES:,} bytes", JPEG + bytes(MOST_BYTES)),
    "cmyk.jpeg": ("colour mode CMYK", encode(IMAGE.convert("CMYK"))),
    "1x1.jpeg": ("too small: 1 x 1 pixels (ingest.min_side is 32)", encode(IMAGE.resize((1, 1)))),
    "31x31.jpeg": ("too small: 31 x 31 pixels (ingest.min_side is 32)", encode(IMAGE.resize((31, 31)))),
    "strip.jpeg": ("too small: 400 x 31 pixels (ingest.min_side is 32)", encode(IMAGE.resize((400, 31)))),
}
PNGS = {
    "cut.png": ("truncated", PNG[: len(PNG) // 2]),
    "without its last chunk.png": ("truncated: its end is missing", PNG[:-12]),
    "signature alone.png": (HEADER, PNG[:8]),
    "header alone.png": (HEADER, PNG[:33]),
    "signature changed.png": ("not an image", put(PNG, 1, 0x51)),
    "signature read as text.png": ("not an image", PNG.replace(b"\r\n", b"\n", 1)),
    "wrong checksum.png": ("damaged", put(PNG, 60, PNG[60] ^ 1)),
    "wrong checksum of the header.png": (HEADER, put(PNG, 29, PNG[29] ^ 1)),
    "no header.png": (HEADER, png(changed={b"IHDR": None})),
    "no data.png": ("damaged", png(changed={b"IDAT": None})),
    "size without data.png": ("truncated", png(data=b"")),
    "data of noise.png": ("damaged", png(changed={b"IDAT": np.random.default_rng(0).bytes(500)})),
    "unknown filter.png": ("damaged", png(data=(b"\x09" + bytes(64)) * 64)),
    "unknown depth.png": (HEADER, png(depth=3)),
    "unknown colour type.png": (HEADER, png(colour_type=1)),
    "unknown interlacing.png": ("damaged", png(interlace=7)),
    "interlaced, cut.png": ("truncated", png(interlace=1, data=bytes(100))),
    "no width.png": (HEADER, png(width=0)),
    "negative height.png": ("more than 50,000,000 pixels", png(height=0xFFFFFFFF)),
    "palette that is missing.png": ("damaged", png(colour_type=3)),
    "unknown critical chunk.png": (HEADER, png(changed={b"IDAT": None, b"ABCD": b"1", b"IEND": None})),
    "alpha.png": ("transparency", encode(RGBA, "PNG")),
    "grey with alpha.png": ("transparency", encode(Image.merge("LA", [IMAGE, OTHER]), "PNG")),
    "palette with a transparent colour.png": ("transparency", encode(IMAGE.convert("P"), "PNG", transparency=0)),
    "grey with a transparent level.png": ("transparency", encode(IMAGE, "PNG", transparency=0)),
    "12 bits in 16-bit colour.png": (
        "16 bits in several channels, of which the upper 8 show next to nothing",
        png(64, 64, 16, 2, b"".join(b"\0" + bytes([row // 5, row]) * 192 for row in range(64))),
    ),
    "16-bit colour with alpha.png": (
        "transparency",
        png(64, 64, 16, 6, (b"\0" + bytes(range(256)) * 2) * 64),
    ),
    "animated.png": ("animated", encode(IMAGE, "PNG", **BOTH)),
    "bomb.png": ("more than 50,000,000 pixels", png(10_000, 5_001, data=b"")),
    "bomb that Pillow knows.png": ("more than 50,000,000 pixels", png(60_000, 60_000, data=b"")),
    "text that unpacks to much.png": ("damaged", PNG[:33] + chunk(b"zTXt", b"a\0\0" + MUCH) + PNG[33:]),
    "profile that unpacks to much.png": ("damaged", PNG[:33] + chunk(b"iCCP", b"a\0\0" + MUCH) + PNG[33:]),
}
OTHERS = {
    "cut.gif": ("truncated", GIF[: len(GIF) // 2]),
    "header alone.gif": (HEADER, GIF[:13]),
    "data of noise.gif": ("damaged", GIF[:-2000] + np.random.default_rng(0).bytes(2000)),
    "animated.gif": ("animated", encode(IMAGE, "GIF", **BOTH)),
    "cut.bmp": ("truncated", BMP[:-500]),
    "header alone.bmp": ("truncated", BMP[:54]),
    "unknown header.bmp": ("damaged", put(BMP, 14, 7)),
    "unknown compression.bmp": ("damaged", put(BMP, 30, 9)),
    "no size.bmp": (HEADER, put(BMP, 18, 0, 0, 0, 0)),
    "data behind the end.bmp": ("truncated", put(BMP, 10, 255, 255, 255, 127)),
    "cut.webp": ("damaged", WEBP[: len(WEBP) // 2]),
    "header alone.webp": ("damaged", WEBP[:20]),
    "wrong length.webp": ("damaged", put(WEBP, 4, 1, 0, 0, 0)),
    "data of noise.webp": ("damaged", WEBP[:60] + np.random.default_rng(0).bytes(len(WEBP) - 60)),
    "alpha.webp": ("transparency", encode(RGBA, "WEBP")),
    "animated.webp": ("animated", encode(IMAGE, "WEBP", **BOTH)),
    "header alone.tiff": (HEADER, TIFF[:8]),
    "cut.tiff": ("truncated", TIFF[:-100]),
    "directory behind the end.tiff": (HEADER, put(TIFF, 4, 255, 255, 255, 127)),
    "no width.tiff": (HEADER, tiff({256: None})),
    "width of nothing.tiff": (HEADER, tiff({256: 0})),
    "16-bit grey with alpha.tiff": (
        "not read: TIFF of an unusual kind. Store it as PNG",
        tiff({258: (16, 16), 277: 2, 279: 16_384, 338: 2}, pixels=bytes([7, 0, 255, 255]) * 4096),
    ),
    "16 bits, low values bright, big-endian.tiff": (
        "not read: TIFF of an unusual kind", tiff({258: 16, 262: 0, 279: 8192}, ">", bytes(8192))
    ),
    "unknown compression.tiff": (HEADER, tiff({259: 9999})),
    "WebP inside.tiff": ("not read: TIFF of an unusual kind. Store it as PNG", tiff({259: 50001}, pixels=WEBP)),
    "JPEG XL inside.tiff": ("not read: TIFF of an unusual kind. Store it as PNG", tiff({259: 50002})),
    "big-endian, of more than 4 GB.tiff": (
        "not read: TIFF of an unusual kind. Store it as PNG", b"MM\0+\0\x08" + bytes(500)
    ),
    "unknown colours.tiff": (HEADER, tiff({262: 99})),
    "strips behind the end.tiff": ("truncated", tiff({273: 10**6})),
    "no strips.tiff": (HEADER, tiff({273: None})),
    "LZW of noise.tiff": ("damaged", tiff({259: 5}, pixels=np.random.default_rng(0).bytes(4096))),
    "deflate of noise.tiff": ("damaged", tiff({259: 8}, pixels=np.random.default_rng(0).bytes(4096))),
    "bomb.tiff": ("more than", tiff({256: 60_000, 257: 60_000, 278: 60_000})),
    "pages.tiff": ("animated", encode(IMAGE, "TIFF", **BOTH)),
    "floating point.tiff": ("colour mode F", encode(IMAGE.convert("F"), "TIFF")),
    "8 bits, signed.tiff": ("signed values of 8 bits", tiff({339: 2}, pixels=bytes(range(128)) * 32)),
    "lab.tiff": ("colour mode LAB", encode(Image.merge("LAB", [IMAGE, IMAGE, IMAGE]), "TIFF")),
    "32-bit too bright.tiff": (
        "values from", encode(Image.fromarray(np.arange(4096).reshape(64, 64).astype(np.int32) * 4097), "TIFF")
    ),
}  # fmt: skip
IMAGES = NOT_IMAGES | JPEGS | PNGS | OTHERS
MASK = Image.fromarray(255 * (np.abs(np.abs(np.arange(80) - 40) - 20) < np.full((64, 1), 12)).astype(np.uint8))
# Sound files that show no frontal chest radiograph.
OTHER_OBJECTS = {
    "one bit.png": ("not a radiograph: two grey levels", encode(IMAGE.convert("1"), "PNG")),
    "mask.png": ("not a radiograph: two grey levels", encode(MASK, "PNG")),
    "mask of 0 and 1.png": ("not a radiograph: two grey levels", encode(MASK.point(lambda level: level // 255), "PNG")),
    "mask in colour.png": ("not a radiograph: two grey levels", encode(MASK.convert("RGB"), "PNG")),
    "mask.jpeg": ("not a radiograph: two grey levels", encode(MASK.resize((800, 640), Image.Resampling.NEAREST))),
    "report.dcm": ("not a radiograph: other", make(Modality="SR", PixelData=None)),
    "directory.dcm": (
        "not a radiograph: other", make(SOPClassUID="1.2.840.10008.1.3.10", Modality=None, PixelData=None)
    ),
    "tomogram.dcm": ("not a radiograph: other modality (CT)", make(Modality="CT")),
    "lateral.dcm": ("not a frontal view: other view position", make(ViewPosition="LL")),
    "hand.dcm": ("not a chest: other body part", make(BodyPartExamined="HAND")),
    "raw.dcm": ("raw detector data", make(PresentationIntentType="FOR PROCESSING")),
    "film.dcm": ("several frames", make(NumberOfFrames=3)),
    "colour.dcm": ("colour", make(SamplesPerPixel=3, PhotometricInterpretation="RGB")),
}  # fmt: skip
