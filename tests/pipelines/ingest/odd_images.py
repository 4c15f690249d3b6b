"""Odd files that are used all the same: a file name, its note, and its bytes."""

import struct
from itertools import count

import numpy as np
from PIL import Image
from tests.pipelines.ingest.faulty_images import DEEP, GIF, JPEG, PNG, draw, encode, png, put, tiff, without

NUMBERS = count(1)


def fresh():
    """An image that no other file has, because copies are not used."""
    return draw(next(NUMBERS))


def orient(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def bits(image, depth):
    """A PNG of one grey channel of `depth` bits."""
    values = np.asarray(image.resize((64, 64))).astype(int) >> (8 - depth)
    packed = np.packbits(np.unpackbits(values.astype(np.uint8)[..., None], axis=-1)[..., -depth:].reshape(64, -1), 1)
    return png(depth=depth, data=b"".join(b"\0" + row.tobytes() for row in packed))


UPPER = "16 bits in several channels: the upper 8 are used"
FIRST = "several pictures: the first is used"
OPAQUE, FAINT = "opaque alpha channel", "less than a tenth of the grey levels used"


def opaque(mode):
    """A picture with an alpha channel that is opaque everywhere."""
    image = Image.merge("LA", [fresh(), Image.new("L", (80, 64), 255)])
    return image.convert(mode)


def two_channels(grey):
    """A PNG of grey and opaque alpha, 16 bits each."""
    pixels = np.stack([grey, np.full_like(grey, 65_535)], -1).astype(">u2")
    return png(80, 64, 16, 4, b"".join(b"\0" + line.tobytes() for line in pixels))


DEEP_PIXELS = np.asarray(DEEP.resize((64, 64)))[::-1].tobytes()
ACCEPTED = {
    "png.jpeg": ("PNG content in a .jpeg file", encode(fresh(), "PNG")),
    "no suffix": ("JPEG content in a nameless file", encode(fresh())),
    "palette.png": ("palette", encode(fresh().convert("P"), "PNG")),
    "turned.jpeg": ("rotated by its EXIF orientation", encode(fresh(), exif=orient(8))),
    "orientation 99.jpeg": ("", encode(fresh(), exif=orient(99))),
    "colour.jpeg": ("", encode(fresh().convert("RGB"))),
    "photograph.mpo": (FIRST, encode(fresh(), "MPO", save_all=True, append_images=[draw(0)])),
    "photograph.jpg": (FIRST, encode(fresh(), "MPO", save_all=True, append_images=[draw(0)])),
    "progressive.jpeg": ("", encode(fresh(), progressive=True)),
    "bytes after its end.jpeg": ("", encode(fresh()) + bytes(100)),
    "grey.tiff": ("", encode(fresh(), "TIFF")),
    "big-endian.tiff": ("", tiff({}, order=">", pixels=np.asarray(fresh().resize((64, 64))).tobytes())),
    "opaque.png": (OPAQUE, encode(opaque("RGBA"), "PNG")),
    "grey, opaque.png": (OPAQUE, encode(opaque("LA"), "PNG")),
    "opaque.tiff": (OPAQUE, encode(opaque("RGBA"), "TIFF")),
    "grey, opaque.tiff": (OPAQUE, encode(opaque("LA"), "TIFF")),
    "palette, opaque.tiff": (OPAQUE, encode(opaque("PA"), "TIFF")),
    "palette, opaque.png": (f"palette; {OPAQUE}", encode(fresh().convert("P"), "PNG", transparency=b"\xff" * 256)),
    "unused colour transparent.png": (
        OPAQUE,
        encode(fresh().point(lambda one: max(one, 1)), "PNG", transparency=0),
    ),
    "unused level of 16 bits transparent.png": (
        OPAQUE,
        encode(Image.fromarray(np.asarray(DEEP)[:, ::-1] // 2 + 1000), "PNG", transparency=7),
    ),
    "16 bits, opaque.png": (OPAQUE, two_channels(np.asarray(DEEP)[::-1, ::-1])),
    "12 bits in 16, opaque.png": (f"{OPAQUE}; {FAINT}", two_channels(np.asarray(DEEP)[::-1, ::-1] // 16)),
    "16-bit colour.png": (UPPER, png(64, 64, 16, 2, b"".join(b"\0" + bytes([3 * n, n]) * 192 for n in range(64)))),
    "16-bit colour, opaque.png": (
        f"{UPPER}; {OPAQUE}",
        png(64, 64, 16, 6, b"".join(b"\0" + (bytes([2 * n, n]) * 3 + b"\xff\xff") * 64 for n in range(64))),
    ),
    "16-bit grey.png": ("", encode(DEEP, "PNG")),
    "16-bit.tiff": ("", encode(Image.fromarray(np.asarray(DEEP)[::-1].copy()), "TIFF")),
    "16-bit, low values bright.tiff": ("", tiff({258: 16, 262: 0, 279: 8192}, pixels=DEEP_PIXELS)),
    "32-bit.tiff": ("", encode(fresh().convert("I"), "TIFF")),
    "4-bit grey.png": ("", bits(fresh(), 4)),
    "2-bit grey.png": ("", bits(fresh(), 2)),
    "still.gif": ("palette", encode(fresh().quantize(16), "GIF")),
    "still.webp": ("", encode(fresh().convert("RGB"), "WEBP")),
    "still.bmp": ("", encode(fresh(), "BMP")),
    "blank.jpeg": ("blank: one grey level", encode(Image.new("L", (64, 64), 90))),
    "32x32.png": ("", encode(fresh().resize((32, 32)), "PNG")),
    "no Huffman tables.jpeg": ("", without(0xC4)),
    "chunk longer than the file.png": ("", put(PNG, 33, 0x7F)),
    "no size.gif": ("palette", put(GIF, 6, 0, 0, 0, 0)),
    "directory of itself.tiff": ("blank: one grey level", tiff({})[:-4] + struct.pack("<I", 8 + 4096)),
    "a name of 180 letters " + "x" * 153 + ".jpeg": ("", encode(fresh())),
    "Ünïcode 肺 🫁.jpeg": ("", encode(fresh())),
    "per%20cent & 'quotes' $HOME *.jpeg": ("", encode(fresh())),
    "-dash.jpeg": ("", encode(fresh())),
    "=1+1.jpeg": ("", encode(fresh())),
}
# Damage that no decoder reports, as the module examine and docs/images.md say.
UNNOTICED = {
    "half of the data.png": ("", png(data=(b"\0" + bytes(range(64))) * 32)),
    "grey values of noise.jpeg": ("", JPEG[:700] + JPEG[701:702] + JPEG[701:]),
}
