// Single uncompressed frontal chest radiographs in DICOM files, as a viewer shows them (DICOM PS3.3 C.11.1, C.11.2).
// Only the elements named here are read, and none of them is shown.
import dicomParser from "dicom-parser";
import { Refused, refuseSize } from "./files.js";

const UNCOMPRESSED = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"];
const MODALITIES = ["CR", "DX", "DR", "RG", "RF", "SC", "OT", ""];

/** The grey image of a DICOM file: {grey, width, height}. */
export function readDicom(bytes) {
  let data;
  try {
    data = dicomParser.parseDicom(bytes, { untilTag: "x7fe00010" });
  } catch {
    throw new Refused("The DICOM file is damaged: its header cannot be read.");
  }
  if (!UNCOMPRESSED.includes(data.string("x00020010"))) {
    throw new Refused("The DICOM file is compressed or in big-endian order, which this page cannot read. Export it uncompressed (little endian).");
  }
  refuseUnsuitable(data);
  try {
    return decode(dicomParser.parseDicom(bytes));
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused("The DICOM file is damaged: its pixels cannot be decoded.");
  }
}

function refuseUnsuitable(data) {
  const text = (tag) => (data.string(tag) ?? "").trim().toUpperCase();
  const reasons = [
    [Number(text("x00280008") || 1) > 1, "It contains several frames; this page reads single images."],
    [text("x00080068") === "FOR PROCESSING", "It is raw detector data (FOR PROCESSING). Export the image for presentation."],
    [text("x00280301") === "YES", "It has burned-in annotation, which may name the patient. Export it without annotation."],
    [!MODALITIES.includes(text("x00080060")), "It is not a radiograph: other modality."],
    [!/^$|CHEST|THORAX|LUNG/.test(text("x00180015")), "It is not a chest: other body part."],
    [!["PA", "AP", ""].includes(text("x00185101")), "It is not a frontal view: other view position."],
    [!text("x00280004").startsWith("MONOCHROME"), "It is in colour: a radiograph has only grey levels."],
    [Boolean(data.elements.x00283000 || data.elements.x00283010), "It has a lookup table, which this page does not apply. Use the pipeline for it."],
    [![8, 16].includes(data.uint16("x00280100")), "It has neither 8 nor 16 bits per pixel."],
  ];
  const reason = reasons.find(([applies]) => applies);
  if (reason) throw new Refused(reason[1]);
}

function stored(data, count) {
  const { dataOffset, length } = data.elements.x7fe00010;
  const wide = data.uint16("x00280100") === 16;
  if (length < count * (wide ? 2 : 1)) throw new Refused("The DICOM file is damaged: pixels are missing.");
  const bits = data.uint16("x00280101");
  const shift = data.uint16("x00280102") + 1 - bits;
  const signed = data.uint16("x00280103") === 1;
  const view = new DataView(data.byteArray.buffer, data.byteArray.byteOffset + dataOffset, length);
  return Int32Array.from({ length: count }, (_, at) => {
    const value = ((wide ? view.getUint16(2 * at, true) : view.getUint8(at)) >> shift) & (2 ** bits - 1);
    return signed && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
  });
}

/** The window of a viewer: a function from a value to the range [low, high]. */
export function windowing(rule, centre, width, low, high) {
  const range = high - low;
  if (rule === "SIGMOID") return (value) => low + range / (1 + Math.exp((-4 * (value - centre)) / width));
  const [middle, breadth] = rule === "LINEAR_EXACT" ? [centre, width] : [centre - 0.5, width - 1];
  return (value) => {
    if (value <= middle - breadth / 2) return low;
    if (value > middle + breadth / 2) return high;
    return ((value - middle) / breadth + 0.5) * range + low;
  };
}

function decode(data) {
  const number = (tag, otherwise) => data.floatString(tag, 0) ?? otherwise;
  const [height, width] = [data.uint16("x00280010"), data.uint16("x00280011")];
  refuseSize(width, height);
  const values = stored(data, width * height);
  const bits = data.uint16("x00280101");
  const signed = data.uint16("x00280103") === 1;
  const [slope, intercept] = [number("x00281053", 1) || 1, number("x00281052", 0)];
  const [low, high] = (signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1]).map((end) => end * slope + intercept);
  const [centre, breadth] = [number("x00281050"), number("x00281051")];
  const hasWindow = centre !== undefined && breadth !== undefined;
  const shown = hasWindow ? windowing((data.string("x00281056") ?? "LINEAR").trim().toUpperCase(), centre, breadth, low, high) : (value) => value;
  const inverted = data.string("x00280004").trim() === "MONOCHROME1";
  const read = signed ? "int16" : "uint16";
  const padding = data.elements.x00280120 && data[read]("x00280120");
  const other = data.elements.x00280121 ? data[read]("x00280121") : padding;
  const grey = Uint8Array.from(values, (value) => {
    if (padding !== undefined && value >= Math.min(padding, other) && value <= Math.max(padding, other)) return 0;
    const level = Math.min(255, Math.max(0, Math.round(((shown(value * slope + intercept) - low) * 255) / (high - low))));
    return inverted ? 255 - level : level;
  });
  return { grey, width, height };
}
