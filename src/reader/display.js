// From the stored values of a DICOM image to grey levels, as the standard defines them: as images/dicom_pixels.py.
import { bitsOf, even, rangeOf, valuesOf } from "./depth.js";

const [LINEAR, EXACT, SIGMOID] = ["LINEAR", "LINEAR_EXACT", "SIGMOID"];

/** What a header says about showing an image whose values really have `stored` bits. */
export function displayOf(header, stored, isInverted) {
  const [modality, voi] = [header.ModalityLUT, header.VOILUT].map((one) => one && tableOf(one));
  const [slope] = numbers(header.RescaleSlope);
  const [intercept] = numbers(header.RescaleIntercept);
  const display = {
    stored, isSigned: header.PixelRepresentation === 1, slope: modality ? 1 : slope || 1, intercept: modality ? 0 : intercept ?? 0,
    modality, voi, isInverted, padding: paddingOf(header),
  };
  const step = Math.abs(display.slope);
  display.window = voi ? null : windowOf(header, step, stored < (header.BitsStored ?? 0) ? step * 2 ** stored : Infinity);
  display.isOpen = stored > 8 && !(modality || voi || display.window);
  return display;
}

/** Take the stored bits out of the allocated ones. */
export function storedValues(raw, bits, highBit, isSigned) {
  const shift = Math.max(highBit + 1 - bits, 0);
  const rest = 2 ** shift;
  const isMisplaced = shift && raw.every((value) => value < 2 ** bits) && raw.some((value) => value % rest);
  return Int32Array.from(raw, (value) => {
    const kept = (isMisplaced ? value : Math.floor(value / rest)) % 2 ** bits;
    return isSigned && kept >= 2 ** (bits - 1) ? kept - 2 ** bits : kept;
  });
}

/** The values that the range of an image follows from; padding does not count. */
export const valuesIn = (stored, display, detector) => valuesOf(stored, display.stored, detector, (value) => isPadding(value, display));

/** Grey levels as a viewer would show them; `bits` is the range if the header does not say it, 0: that of this image. */
export function show(stored, display, bits = 0) {
  const share = shareOf(stored, display, bits);
  const { modality, slope, intercept } = display;
  const value = modality ? (one) => modality.lookUp(one) * (2 ** modality.bits - 1) : (one) => one * slope + intercept;
  return Uint8Array.from(stored, (one) => {
    if (isPadding(one, display)) return 0;
    const level = Math.min(255, Math.max(0, even(255 * share(value(one)))));
    return display.isInverted ? 255 - level : level;
  });
}

function shareOf(stored, display, bits) {
  if (display.voi) return display.voi.lookUp;
  if (display.window) return windowing(display.window);
  const [low, high] = endsOf(stored, display, bits);
  return (value) => (value - low) / (high - low);
}

/** The function of a window, from values to 0 to 1. */
export function windowing([kind, centre, width]) {
  if (kind === SIGMOID) return (value) => 1 / (1 + Math.exp((-4 * (value - centre)) / width));
  const [middle, breadth] = kind === LINEAR ? [centre - 0.5, width - 1] : [centre, width];
  if (breadth === 0) return (value) => Number(value > middle);
  return (value) => Math.min(1, Math.max(0, (value - middle) / breadth + 0.5));
}

function endsOf(stored, display, bits) {
  if (display.modality) return [0, 2 ** display.modality.bits - 1];
  const own = () => bitsOf([valuesIn(stored, display, "")]);
  const range = display.isOpen ? bits || own() : display.isSigned ? -display.stored : display.stored;
  return rangeOf(range).map((end) => end * display.slope + display.intercept).sort((one, other) => one - other);
}

function isPadding(value, { padding }) {
  return padding !== null && value >= padding[0] && value <= padding[1];
}

/** A lookup table, by {first, entries, claimed}: from values to 0 to 1; beyond its ends the end counts. */
function tableOf({ first, entries, claimed }) {
  const bits = bitsOf([valuesOf(entries, claimed, "")].map((one) => ({ ...one, lowest: 0 })));
  const last = entries.length - 1;
  return { bits, lookUp: (value) => entries[Math.min(last, Math.max(0, even(value) - first))] / (2 ** bits - 1) };
}

/** The first window that is one; null if there is none. */
function windowOf(header, step, most) {
  const named = (header.VOILUTFunction ?? "").trim().toUpperCase().replaceAll(" ", "_");
  const kind = [LINEAR, EXACT, SIGMOID].includes(named) ? named : LINEAR;
  const [centres, widths] = [numbers(header.WindowCenter), numbers(header.WindowWidth)];
  for (let at = 0; at < Math.min(centres.length, widths.length); at++) {
    const [centre, width] = [centres[at], widths[at]];
    if (centre + width / 2 > most) return null;
    if (kind === LINEAR && 2 * step <= width && width < 1) return [EXACT, centre, width];
    if (width >= 1 || (kind !== LINEAR && width > 0)) return [kind, centre, width];
  }
  return null;
}

function paddingOf(header) {
  if (header.PixelPaddingValue == null) return null;
  return [header.PixelPaddingValue, header.PixelPaddingRangeLimit ?? header.PixelPaddingValue].sort((one, other) => one - other);
}

/** The numbers of a value's texts, up to the first that is none. */
function numbers(texts = []) {
  const found = texts.map((text) => (text.trim() ? Number(text.replace(",", ".")) : NaN));
  const end = found.findIndex((number) => !Number.isFinite(number));
  return end < 0 ? found : found.slice(0, end);
}
