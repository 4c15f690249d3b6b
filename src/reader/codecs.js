// The bits of a DICOM image as they are stored, whatever the transfer syntax: as images/dicom_codecs.py.
import charls from "@cornerstonejs/codec-charls/decodewasmjs";
import openjpeg from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import dicomParser from "dicom-parser";
import { Decoder } from "jpeg-lossless-decoder-js/release/lossless.js";
import { Refused, SEVERAL_FRAMES } from "./files.js";

const JPEG = "1.2.840.10008.1.2.4.";
const [BASELINE, EXTENDED, LOSSLESS, LS, JPEG_2000] = ["50", "51", "70", "80", "90"].map((number) => JPEG + number);
export const [IMPLICIT, EXPLICIT, BIG_ENDIAN, RLE] = ["", ".1", ".2", ".5"].map((end) => `1.2.840.10008.1.2${end}`);
const NATIVE = [IMPLICIT, EXPLICIT, BIG_ENDIAN];
const KNOWN = [...NATIVE, RLE, ...["50", "51", "57", "70", "80", "81", "90", "91"].map((number) => JPEG + number)];
const STARTS = [[0xff, 0xd8, 0xff], [0xff, 0x4f, 0xff, 0x51], [0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20]]; // of codestreams
const BY_MARKER = { 0xc0: BASELINE, 0xc1: EXTENDED, 0xc2: EXTENDED, 0xc3: LOSSLESS, 0xf7: LS };

/** Refuse a transfer syntax that no decoder of this page reads. */
export function refuseSyntax(syntax) {
  if (!KNOWN.includes(syntax)) throw new Refused("unknown transfer syntax: export it uncompressed");
}

/** What a compressed image says of itself: {syntax, bits, components, height, width}; null if it is no JPEG of any kind. */
export function readCodestream(frame) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  let at = 0;
  if (view.getUint32(4) === 0x6a502020) at = find(frame, [0x6a, 0x70, 0x32, 0x63]) + 4; // a JP2 file around the codestream
  if (view.getUint32(at) === 0xff4fff51) {
    const [x1, y1, x0, y0] = [8, 12, 16, 20].map((place) => view.getUint32(at + place));
    return { syntax: JPEG_2000, bits: (frame[at + 42] & 0x7f) + 1, components: view.getUint16(at + 40), height: y1 - y0, width: x1 - x0, isSigned: frame[at + 42] > 0x7f };
  }
  for (at = view.getUint16(0) === 0xffd8 ? 2 : frame.length; at < frame.length; ) {
    if (frame[at] !== 0xff) return null;
    const marker = frame[at + 1];
    if (BY_MARKER[marker]) {
      return { syntax: BY_MARKER[marker], bits: frame[at + 4], height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: frame[at + 9] };
    }
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return null;
}

/** Refuse a JPEG that is not the usual one of 8 bits and with loss. */
export function refuseUnusualJpeg(bytes) {
  const { syntax, bits, components } = streamOf(bytes) ?? {};
  if (!syntax) throw new Refused("damaged: its header cannot be read");
  if (components === 4) throw new Refused("colour mode CMYK: store it in grey of 8 or 16 bits");
  const kind = { [LOSSLESS]: "lossless JPEG", [LS]: "JPEG-LS" }[syntax] ?? (bits === 8 ? "" : `${bits}-bit JPEG`);
  if (kind) throw new Refused(`not read: ${kind} format. Store it as PNG of 8 or 16 bits`);
}

function streamOf(bytes) {
  try {
    return readCodestream(bytes);
  } catch {
    return null; // it ends within its header
  }
}

export const find = (bytes, sought) => bytes.findIndex((_, at) => sought.every((byte, place) => bytes[at + place] === byte));

/** The only frame of encapsulated pixel data. */
export function firstFrame(data) {
  const element = data.elements.x7fe00010;
  return dicomParser.readEncapsulatedPixelDataFromFragments(data, element, 0, element.fragments.length);
}

/**
 * Decode the allocated bits of an image: {values, bits, highBit}.
 *
 * `data` is that of dicom-parser, `header` has numbers by keyword; `tools` are `raster`, which lets the browser decode a
 * JPEG of 8 bits, and `wasm`, which loads a decoder's binary by name.
 */
export async function decodeRaw(data, syntax, header, tools) {
  const { Rows: height, Columns: width } = header;
  const allocated = header.BitsAllocated || 8 * (1 + ((header.BitsStored ?? 8) > 8));
  const stored = Math.min(header.BitsStored || allocated, allocated);
  const high = header.HighBit == null || header.HighBit >= allocated ? stored - 1 : header.HighBit;
  const frames = countFrames(data, syntax, (width * height * allocated) / 8);
  if (frames > 1) throw new Refused(SEVERAL_FRAMES);
  if (NATIVE.includes(syntax) && !frames) throw new Refused("truncated: its pixel data end before the image does");
  if (NATIVE.includes(syntax)) {
    return { values: uncompressed(data, width * height, allocated, syntax === BIG_ENDIAN), bits: stored, highBit: high };
  }
  const frame = firstFrame(data);
  if (syntax === RLE) return { values: unpackRuns(frame, width * height, allocated / 8), bits: stored, highBit: high };
  const stream = readCodestream(frame);
  if (!stream) throw new Error("no codestream");
  if (stream.height !== height || stream.width !== width) throw new Refused("damaged: its pixel data have another size than its header says");
  if (stream.isSigned && header.PixelRepresentation !== 1) throw new Refused("signed values in the pixel data, unsigned ones in the header: export it uncompressed");
  if (stream.components !== 1) return { values: await luminance(frame, stream, tools), bits: 8, highBit: 7 };
  if (stream.syntax === EXTENDED && ![8, 12].includes(stream.bits)) throw new Refused("damaged: its pixel data claim bits that a lossy JPEG cannot have");
  if (stream.syntax === EXTENDED && stream.bits === 12) throw new Refused("lossy JPEG of 12 bits, which browsers do not read: export it uncompressed");
  const values = await DECODERS[stream.syntax](frame, tools);
  if (values.length < width * height) throw new Error("pixels are missing");
  const offset = header.PixelRepresentation === 1 ? 2 ** (stored - 1) : 0;
  const exceeds = () => values.some((value) => (value + offset) % 2 ** stream.bits >= 2 ** stored);
  if (stream.bits < stored || (stream.bits > stored && high === stored - 1 && exceeds())) return { values, bits: stream.bits, highBit: stream.bits - 1 };
  return { values, bits: stored, highBit: Math.min(high, stream.bits - 1) };
}

/** The images in pixel data whose header tells of one, of so many bytes where they are not compressed. */
function countFrames(data, syntax, size) {
  const { length, fragments, encapsulatedPixelData } = data.elements.x7fe00010;
  if (!encapsulatedPixelData) return NATIVE.includes(syntax) ? Math.floor(length / size) : 1;
  const begins = ({ position }) => STARTS.some((start) => start.every((byte, at) => data.byteArray[position + at] === byte));
  return fragments.filter((one) => syntax === RLE || begins(one)).length;
}

function uncompressed(data, count, allocated, isBig) {
  const { dataOffset, length, vr } = data.elements.x7fe00010;
  if (![8, 16, 32].includes(allocated) || length < (count * allocated) / 8) throw new Error("pixels are missing");
  const view = new DataView(data.byteArray.buffer, data.byteArray.byteOffset + dataOffset, length);
  const swap = isBig && vr === "OW" ? 1 : 0; // two values of 8 bits are one word
  const read = { 8: (at) => view.getUint8(at ^ swap), 16: (at) => view.getUint16(2 * at, !isBig), 32: (at) => view.getUint32(4 * at, !isBig) }[allocated];
  return Float64Array.from({ length: count }, (_, at) => read(at));
}

/** Run lengths of DICOM (PS3.5 G): one segment for each byte of a value, the highest first. */
function unpackRuns(frame, count, width) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (view.getUint32(0, true) !== width) throw new Error("another number of segments");
  const values = new Float64Array(count);
  for (let segment = 0; segment < width; segment++) {
    const end = segment + 1 < width ? view.getUint32(8 + 4 * segment, true) : frame.length;
    let [at, to] = [view.getUint32(4 + 4 * segment, true), 0];
    while (to < count && at < end) {
      const head = view.getInt8(at++);
      if (head === -128) continue;
      const run = head >= 0 ? head + 1 : 1 - head;
      for (let k = 0; k < run && to < count; k++) values[to++] += frame[head >= 0 ? at + k : at] * 256 ** (width - 1 - segment);
      at += head >= 0 ? run : 1;
    }
    if (to < count) throw new Error("pixels are missing");
  }
  return values;
}

async function luminance(frame, stream, tools) {
  const isColour = [BASELINE, EXTENDED].includes(stream.syntax) && stream.components === 3 && stream.bits === 8;
  if (!isColour) throw new Refused("colour in the pixel data, of which the header knows nothing");
  return DECODERS[BASELINE](frame, tools);
}

const inBrowser = async (frame, tools) => (await tools.raster(frame, "image/jpeg")).grey;

const DECODERS = {
  [BASELINE]: inBrowser,
  [EXTENDED]: inBrowser,
  [LOSSLESS]: (frame) => {
    const decoder = new Decoder();
    const whole = decoder.decompress(frame.slice().buffer);
    return decoder.frame.precision > 8 ? new Uint16Array(whole) : new Uint8Array(whole);
  },
  [JPEG_2000]: async (frame, tools) => throughWasm(new (await module(openjpeg, "openjpeg", tools)).J2KDecoder(), frame),
  [LS]: async (frame, tools) => throughWasm(new (await module(charls, "charls", tools)).JpegLSDecoder(), frame),
};

const modules = {};

async function module(factory, name, tools) {
  modules[name] ??= factory({ wasmBinary: await tools.wasm(name) });
  return modules[name];
}

function throughWasm(decoder, frame) {
  try {
    decoder.getEncodedBuffer(frame.length).set(frame);
    decoder.decode();
    const bytes = decoder.getDecodedBuffer().slice();
    return decoder.getFrameInfo().bitsPerSample > 8 ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1) : bytes;
  } finally {
    decoder.delete();
  }
}
