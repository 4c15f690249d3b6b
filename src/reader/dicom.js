// DICOM files of single frontal chest radiographs: as images/dicom.py and images/dicom_values.py.
// Only the elements named here are read, and none of them is shown.
import dicomParser from "dicom-parser";
import { BIG_ENDIAN, EXPLICIT, IMPLICIT, RLE, decodeRaw, firstFrame, readCodestream, refuseSyntax } from "./codecs.js";
import { displayOf, show, storedValues, valuesIn } from "./display.js";
import { Refused, refuseSize } from "./files.js";
import { refusalOf } from "./header.js";

const TEXTS = {
  Modality: "x00080060", SOPClassUID: "x00080016", PresentationIntentType: "x00080068", BurnedInAnnotation: "x00280301", BodyPartExamined: "x00180015",
  ViewPosition: "x00185101", PatientOrientation: "x00200020", SeriesDescription: "x0008103e", ProtocolName: "x00181030",
  AcquisitionDeviceProcessingDescription: "x00181400", Manufacturer: "x00080070", ManufacturerModelName: "x00081090",
  PhotometricInterpretation: "x00280004", VOILUTFunction: "x00281056", SpecificCharacterSet: "x00080005",
};
const DECIMALS = { NumberOfFrames: "x00280008", RescaleSlope: "x00281053", RescaleIntercept: "x00281052", WindowCenter: "x00281050", WindowWidth: "x00281051" };
const INTEGERS = {
  SamplesPerPixel: "x00280002", Rows: "x00280010", Columns: "x00280011", BitsAllocated: "x00280100", BitsStored: "x00280101", HighBit: "x00280102",
  PixelRepresentation: "x00280103", PixelPaddingValue: "x00280120", PixelPaddingRangeLimit: "x00280121",
};
const CODES = { ViewCodeSequence: "x00540220", AnatomicRegionSequence: "x00082218" };
const TABLES = { ModalityLUT: "x00283000", VOILUT: "x00283010" };
const CHARACTERS = {
  "ISO_IR 101": "iso-8859-2", "ISO_IR 109": "iso-8859-3", "ISO_IR 110": "iso-8859-4", "ISO_IR 144": "iso-8859-5", "ISO_IR 127": "iso-8859-6",
  "ISO_IR 126": "iso-8859-7", "ISO_IR 138": "iso-8859-8", "ISO_IR 148": "windows-1254", "ISO_IR 166": "windows-874", "ISO_IR 13": "shift_jis",
  "ISO_IR 87": "iso-2022-jp", "ISO_IR 149": "euc-kr", "ISO_IR 58": "gbk", GB18030: "gb18030", GBK: "gbk",
};
const REPRESENTATIONS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT".split(" ");
const LONG = ["OB", "UN"]; // of the representations in meta information, those whose length has four bytes
const MOST_FIRST_BYTES = 128;
const [DEFLATED, META_BYTES, MOST_INFLATED_BYTES] = ["1.2.840.10008.1.2.1.99", 65536, 200e6];

const ascii = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));
const isExplicit = (bytes, at) => REPRESENTATIONS.includes(ascii(bytes, at + 4, at + 6)) && (bytes[at + 2] === 0 || bytes[at + 3] === 0);

/** Whether a file is DICOM, with or without its preamble and its meta information, by its content. */
export const isDicom = (bytes) => startOfMeta(bytes) !== undefined || beginsADataSet(bytes);

function startOfMeta(bytes) {
  if (ascii(bytes, 128, 132) === "DICM") return 132;
  const places = [0, ...(ascii(bytes, 0, 4) === "DICM" ? [4] : []), 128];
  return places.find((at) => bytes[at] === 2 && bytes[at + 1] === 0 && isExplicit(bytes, at));
}

function beginsADataSet(bytes) {
  if (bytes[0] === 0 && bytes[1] === 8) return isExplicit(bytes, 0);
  if (bytes[0] !== 8 || bytes[1] !== 0) return false;
  return isExplicit(bytes, 0) || (bytes[3] === 0 && bytes.length > 8 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true) <= MOST_FIRST_BYTES);
}

/** The image of a DICOM file: {width, height, values: of which its range follows or null, grey: a function of that range}. */
export async function readDicom(bytes, limits, tools) {
  const { data, header, syntax } = await damagedUnless("header cannot be read", async () => parse(await inflated(bytes)));
  const refusal = refusalOf(header);
  if (refusal) throw new Refused(refusal);
  const meaning = (header.PhotometricInterpretation ?? "").toUpperCase().match(/^(?:MONO(?:CHROME)?[ _]*([12])?)?$/);
  if ((header.SamplesPerPixel || 1) !== 1 || !meaning) throw new Refused("colour: a radiograph has only grey levels");
  if ((header.BitsStored || 0) > 16) throw new Refused("more than 16 bits per pixel");
  refuseSyntax(syntax);
  const { Columns: width, Rows: height } = header;
  refuseSize(width || 0, height || 0, limits);
  try {
    const raw = await decodeRaw(data, syntax, header, tools);
    const tables = await damagedUnless("lookup table cannot be read", async () => readTables(data, header));
    const display = displayOf({ ...header, ...tables }, raw.bits, meaning[1] === "1");
    const stored = storedValues(raw.values, raw.bits, raw.highBit, display.isSigned);
    const detector = ["DICOM", display.stored, header.Manufacturer, header.ManufacturerModelName, display.isSigned].join("|");
    return { width, height, values: display.isOpen ? valuesIn(stored, display, detector) : null, grey: (bits) => show(stored, display, bits) };
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused("damaged: its pixel data cannot be decoded");
  }
}

async function damagedUnless(problem, act) {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Refused) throw error;
    // dicom-parser throws what it read of a file that ends within an element.
    throw new Refused(error.dataSet?.elements.x7fe00010 ? "truncated: its pixel data end before the image does" : `damaged: its ${problem}`);
  }
}

/** A file with the preamble and prefix that it should have, and not deflated; without meta information, as it is. */
async function inflated(bytes) {
  const start = startOfMeta(bytes);
  if (start === undefined) return bytes;
  const whole = start === 132 ? bytes : joined([new Uint8Array(128), Uint8Array.of(0x44, 0x49, 0x43, 0x4d), bytes.subarray(start)]);
  const named = ascii(whole, 0, Math.min(whole.length, META_BYTES)).indexOf(DEFLATED);
  if (named < 0) return whole;
  const end = 144 + new DataView(whole.buffer, whole.byteOffset).getUint32(140, true); // element (0002,0000) holds the length
  if (ascii(whole, 132, 138) !== "\x02\0\0\0UL") throw new Refused("deflated, without the length of its meta information: export it uncompressed");
  if (named >= end) return whole;
  const meta = whole.slice(0, end);
  meta.fill(0, named + DEFLATED.length - 3, named + DEFLATED.length);
  const packed = whole.subarray(end);
  const withoutPadding = (error) => { // to an even length: to browsers it is damage
    if (error instanceof Refused || packed.at(-1)) throw error;
    return unpacked(packed.subarray(0, -1));
  };
  return joined([meta, await unpacked(packed).catch(withoutPadding)]);
}

async function unpacked(packed) {
  const parts = [];
  let size = 0;
  for await (const part of new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))) {
    parts.push(part);
    if ((size += part.length) > MOST_INFLATED_BYTES) throw new Refused("deflated, and more than 200,000,000 bytes");
  }
  return joined(parts);
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

function parse(bytes) {
  const bare = dataSetAlone(bytes);
  if (bare) {
    const syntax = bare[0] === 0 ? BIG_ENDIAN : isExplicit(bare, 0) ? EXPLICIT : IMPLICIT;
    return described(dicomParser.parseDicom(bare, { TransferSyntaxUID: syntax }), syntax);
  }
  const data = dicomParser.parseDicom(bytes);
  return described(data, data.string("x00020010"));
}

/** The data set of a file whose meta information, if it has any, names no transfer syntax; undefined if it names one. */
function dataSetAlone(bytes) {
  if (startOfMeta(bytes) === undefined) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 132;
  while (view.getUint16(at, true) === 2) {
    if (view.getUint16(at + 2, true) === 0x10) return undefined;
    at += LONG.includes(ascii(bytes, at + 4, at + 6)) ? 12 + view.getUint32(at + 8, true) : 8 + view.getUint16(at + 6, true);
  }
  return bytes.subarray(at);
}

function described(data, syntax) {
  const pixels = data.elements.x7fe00010;
  const header = { PixelData: Boolean(pixels && pixels.length), PixelRepresentation: 0 };
  const characters = data.string(TEXTS.SpecificCharacterSet);
  const text = (from, tag) => decodeText(bytesOf(from, tag), characters);
  for (const [name, tag] of Object.entries(TEXTS)) if (data.elements[tag]) header[name] = text(data, tag);
  for (const [name, tag] of Object.entries(DECIMALS)) if (data.elements[tag]) header[name] = text(data, tag).split("\\");
  for (const [name, tag] of Object.entries(INTEGERS)) {
    const isSigned = name.startsWith("PixelPadding") && header.PixelRepresentation === 1;
    if (data.elements[tag]) header[name] = integerIn(bytesOf(data, tag), isSigned, syntax !== BIG_ENDIAN);
  }
  for (const [name, tag] of Object.entries(CODES)) {
    header[name] = (data.elements[tag]?.items ?? []).map(({ dataSet: item }) => [text(item, "x00080100") || text(item, "x00080119"), text(item, "x00080104")]);
  }
  header.NumberOfFrames = /^\+?\d{1,9}(\.0*)?$/.test((header.NumberOfFrames?.[0] ?? "").trim()) ? Number(header.NumberOfFrames[0]) : 1;
  const isPacked = pixels?.encapsulatedPixelData;
  return { data, header, syntax: isPacked && [IMPLICIT, EXPLICIT, BIG_ENDIAN].includes(syntax) ? readCodestream(firstFrame(data))?.syntax ?? RLE : syntax };
}

function bytesOf(data, tag) {
  const element = data.elements[tag];
  return element ? data.byteArray.subarray(element.dataOffset, element.dataOffset + element.length) : new Uint8Array();
}

function integerIn(bytes, isSigned, isLittle) {
  if (!bytes.length) return null;
  const text = ascii(bytes, 0, bytes.length).replace(/[ \0]/g, "");
  if (bytes.length !== 2 && /^\d+$/.test(text)) return Number(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 2);
  return isSigned ? view.getInt16(0, isLittle) : view.getUint16(0, isLittle);
}

/** Decode a text: ASCII, UTF-8, or else in the character set that the header names. */
function decodeText(bytes, named = "") {
  const trimmed = (text) => text.replace(/^[ \0\t\r\n]+|[ \0\t\r\n]+$/g, "");
  if (!bytes.includes(0x1b)) {
    try {
      return trimmed(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch {
      // It is in another character set.
    }
  }
  const known = named.split("\\").map((one) => CHARACTERS[one.trim().replace("ISO 2022 IR", "ISO_IR")]).filter(Boolean);
  const escapes = known.at(-1) === "iso-2022-jp" ? /(?!)/ : /\x1b[$(]?[()]?[A-Z]/g;
  return trimmed(new TextDecoder(known.at(-1) ?? "windows-1252").decode(bytes).replace(escapes, ""));
}

function readTables(data, header) {
  const found = Object.entries(TABLES).filter(([, tag]) => data.elements[tag]?.items?.[0]?.dataSet.elements.x00283006?.length);
  return Object.fromEntries(found.map(([name, tag]) => [name, readTable(data.elements[tag].items[0].dataSet, header)]));
}

function readTable(item, header) {
  const [descriptor, bytes] = [item.elements.x00283002, bytesOf(item, "x00283006")];
  if (!descriptor) throw new Error("no descriptor");
  const word = (at) => item.uint16("x00283002", at);
  const [count, first, claimed] = [word(0) || 2 ** 16, word(1), word(2)];
  const isNarrow = count <= bytes.length && bytes.length < 2 * count;
  const entries = isNarrow ? bytes.subarray(0, count) : Uint16Array.from({ length: Math.min(count, bytes.length >> 1) }, (_, at) => item.uint16("x00283006", at));
  if (entries.length < count) throw new Error("the lookup table is shorter than it says");
  // Whether the first value is signed is often not told: it is if the values that are looked up may be negative.
  const falls = [header.RescaleSlope, header.RescaleIntercept].some((texts) => texts?.[0].trim().startsWith("-"));
  const isSigned = falls || header.PixelRepresentation === 1 || descriptor.vr === "SS";
  return { first: isSigned && first >= 2 ** 15 ? first - 2 ** 16 : first, entries, claimed: claimed >= 1 && claimed <= 16 ? claimed : 16 };
}
