// From a file to its pixels.
import { convertIndexedToRgb, decode } from "fast-png";
import { bitsOf, scale, valuesOf } from "./depth.js";
import { isDicom, readDicom } from "./dicom.js";
import { Refused, kind, refuseCutJpeg, refuseSize, sidesOfJpeg } from "./files.js";

const PALETTE = 3; // a PNG's colour type

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
  if (hasChunk(bytes, "acTL")) throw new Refused("animated, or several images in one file");
  const image = decodePng(bytes);
  const { data, channels, depth } = image;
  const alpha = transparent(image);
  if (alpha) throw new Refused(`transparency: ${((100 * alpha) / (width * height)).toFixed(1)}% of the pixels are not opaque`);
  const pick = (at) => data[at * channels];
  if (depth === 16 && channels < 3) {
    const deep = Uint16Array.from({ length: width * height }, (_, at) => pick(at));
    const values = valuesOf(deep, 16, "file of 16 bits");
    return { width, height, values, grey: (bits) => scale(deep, bits || bitsOf([values])) };
  }
  // Of colours of 16 bits, the upper 8 are used.
  const upper = depth === 16 ? Uint8Array.from(data, (value) => value >> 8) : data;
  const grey = Uint8Array.from({ length: width * height }, channels < 3 ? (_, at) => pick(at) : (_, at) => luminance(upper, at * channels));
  return { width, height, values: null, grey: () => grey };
}

/** Whether a PNG has a chunk of this name before its image data. */
function hasChunk(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 8 <= bytes.length; at += 12 + view.getUint32(at)) {
    const found = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (found === name || found === "IDAT") return found === name;
  }
  return false;
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
