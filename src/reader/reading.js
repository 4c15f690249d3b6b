// From a file to its pixels.
import { convertIndexedToRgb, decode } from "fast-png";
import { find, refuseUnusualJpeg } from "./codecs.js";
import { bitsOf, scale, valuesOf } from "./depth.js";
import { isDicom, readDicom } from "./dicom.js";
import { Refused, kind, refuseCutJpeg, refuseSize, sidesOfJpeg } from "./files.js";

const PALETTE = 3; // a PNG's colour type
const ORIENTATION = 0x0112; // a tag of EXIF
const [LEAST_SHARE, OUTLIERS] = [0.1, 0.001]; // as in images/examine.py

/**
 * The image in a file: {width, height, isJpeg, values, grey}.
 *
 * `values` is null, or that from which its range follows, together with its neighbours'; `grey` is a function of that
 * range to grey levels. `tools` are `raster`, which lets the browser decode, and `wasm`, which loads a decoder.
 */
export async function readImage(bytes, limits, tools) {
  if (bytes.length > limits.max_file_bytes) throw new Refused(`more than ${limits.max_file_bytes.toLocaleString("en")} bytes`);
  if (isDicom(bytes)) return { ...(await readDicom(bytes, limits, tools)), isJpeg: false };
  if (kind(bytes) === "png") return { ...readPng(bytes, limits), isJpeg: false };
  refuseUnusualJpeg(bytes);
  refuseSize(...sidesOfJpeg(bytes), limits);
  refuseCutJpeg(bytes);
  const { width, height, grey } = await tools.raster(bytes, "image/jpeg");
  return { width, height, isJpeg: true, values: null, grey: () => grey };
}

function readPng(bytes, limits) {
  if (bytes.length < 29) throw new Refused("damaged: its header cannot be read");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  refuseSize(width, height, limits);
  if (find(bytes, [0x49, 0x45, 0x4e, 0x44]) < 0) throw new Refused("truncated: its end is missing"); // IEND
  if (chunk(bytes, "acTL")) throw new Refused("animated, or several images in one file");
  if (isTurned(chunk(bytes, "eXIf"))) throw new Refused("rotated by its EXIF orientation: store it upright");
  const image = decodePng(bytes);
  const { data, channels, depth } = image;
  const alpha = transparent(image);
  if (alpha) throw new Refused("transparency: not all of its pixels are opaque");
  const pick = (at) => data[at * channels];
  if (depth === 16 && channels < 3) {
    const deep = Uint16Array.from({ length: width * height }, (_, at) => pick(at));
    const values = valuesOf(deep, 16, "file of 16 bits");
    return { width, height, values, grey: (bits) => scale(deep, bits || bitsOf([values])) };
  }
  // Of colours of 16 bits, the upper 8 are used.
  const upper = depth === 16 ? Uint8Array.from(data, (value) => value >> 8) : data;
  const grey = Uint8Array.from({ length: width * height }, channels < 3 ? (_, at) => pick(at) : (_, at) => luminance(upper, at * channels));
  if (depth === 16 && countUsed(grey) < LEAST_SHARE * 256) throw new Refused("16 bits in several channels, of which the upper 8 show next to nothing");
  return { width, height, values: null, grey: () => grey };
}

/** The content of a PNG's first chunk of this name; undefined if it has none. */
function chunk(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 8 <= bytes.length; at += 12 + view.getUint32(at)) {
    const found = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (found === name) return bytes.subarray(at + 8, at + 8 + view.getUint32(at));
  }
}

/** Whether an EXIF block says that an image is not stored upright. */
function isTurned(exif) {
  if (!exif || exif.length < 14) return false;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.length);
  const isLittle = exif[0] === 0x49;
  const first = view.getUint32(4, isLittle) + 2;
  for (let at = first; at + 12 <= exif.length && at < first + 12 * view.getUint16(first - 2, isLittle); at += 12) {
    if (view.getUint16(at, isLittle) === ORIENTATION) return view.getUint16(at + 8, isLittle) >= 2 && view.getUint16(at + 8, isLittle) <= 8;
  }
  return false;
}

/** How many levels lie between the darkest and the brightest pixels, without outliers. */
function countUsed(grey) {
  const levels = grey.slice().sort();
  return levels[Math.ceil(levels.length * (1 - OUTLIERS)) - 1] - levels[Math.floor(levels.length * OUTLIERS)] + 1;
}

/** Decode a PNG to 8 or 16 bits, without palette. */
function decodePng(bytes) {
  let image;
  try {
    image = decode(bytes, { checkCrc: true });
    if (bytes[25] === PALETTE) return { ...image, data: convertIndexedToRgb(image), channels: image.palette[0].length, depth: 8 };
  } catch {
    throw new Refused("damaged: it cannot be decoded");
  }
  if (image.depth === 1) throw new Refused("not a radiograph: two grey levels, as in a mask");
  return image.depth < 8 ? { ...image, data: spread(image), transparency: undefined, depth: 8 } : image;
}

/** Grey values of 2 or 4 bits, one byte each. */
function spread({ data, width, height, depth }) {
  const row = Math.ceil((width * depth) / 8);
  const most = 2 ** depth - 1;
  return Uint8Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    const place = x * depth;
    return (((data[y * row + (place >> 3)] >> (8 - depth - (place & 7))) & most) * 255) / most;
  });
}

/** The number of pixels that are not opaque, by an alpha channel or by a colour that stands for one. */
function transparent({ data, channels, depth, transparency }) {
  let count = 0;
  const opaque = 2 ** depth - 1;
  for (let at = 0; at < data.length; at += channels) {
    if (channels === 2 || channels === 4) count += data[at + channels - 1] !== opaque;
    else if (transparency) count += transparency.every((value, channel) => data[at + channel] === value);
  }
  return count;
}

/** Luminance of ITU-R 601-2 in Pillow's whole numbers. */
export const luminance = (data, at) => (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;
