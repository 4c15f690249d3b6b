// The range of values that is scaled to 8 bits, where a file does not say it: as images/depth.py.

const DEPTHS = [8, 10, 12, 14, 16];
const CONTAINER = 16;
const LEAST_SHARE = 0.1;

/** The ends of a range of so many bits, which are signed if negative. */
export const rangeOf = (bits) => (bits >= 0 ? [0, 2 ** bits - 1] : [-(2 ** (-bits - 1)), 2 ** (-bits - 1) - 1]);

/** Values of a file whose range is not known: what it claims to store, its lowest and its highest. */
export function valuesOf(values, stored, detector, skip = () => false) {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const value of values) {
    if (skip(value)) continue;
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  return highest < lowest ? { detector, stored, lowest: 0, highest: 0 } : { detector, stored, lowest, highest };
}

/** The bits of a source from the values of its images; null if it has more than 16. */
export function bitsOf(known) {
  const [lowest, highest] = [Math.min(...known.map((one) => one.lowest)), Math.max(...known.map((one) => one.highest))];
  const claimed = Math.max(...known.map((one) => one.stored));
  const sign = lowest < 0 ? -1 : 1;
  const fits = (bits) => rangeOf(sign * bits)[0] <= lowest && highest <= rangeOf(sign * bits)[1];
  const isCredible = claimed < CONTAINER && highest - lowest >= LEAST_SHARE * (2 ** claimed - 1);
  const needed = [...(isCredible ? [claimed] : []), ...DEPTHS].find(fits);
  return needed ? sign * needed : null;
}

/** The bits of each of several files from one place, in their order; files of one detector share them. 0: not needed. */
export function chooseBits(values) {
  const detectors = new Map();
  for (const one of values) if (one) detectors.set(one.detector, [...(detectors.get(one.detector) ?? []), one]);
  return values.map((one) => (one ? bitsOf(detectors.get(one.detector)) ?? 0 : 0));
}

/** Scale whole numbers to 8 bits. */
export function scale(values, bits) {
  const [low, high] = rangeOf(bits);
  const factor = Math.fround(255 / (high - low));
  return Uint8Array.from(values, (value) => Math.min(255, Math.max(0, even(Math.fround(Math.fround(value - low) * factor)))));
}

/** Round as Python does: a half to the even number. */
export const even = (value) => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

const [NEARLY, ALMOST_ALL] = [16, 0.95];

/** Whether grey levels are those of a mask: two, or near them where compression has blurred them. */
export function isMask(grey) {
  const levels = new Uint32Array(256);
  for (const level of grey) levels[level]++;
  const filled = [...levels.keys()].filter((level) => levels[level]);
  if (filled.length < 3) return filled.length === 2;
  const [low, high] = [filled[0] + NEARLY, filled.at(-1) - NEARLY];
  const sum = (counts) => counts.reduce((one, other) => one + other, 0);
  return high - low > 2 * NEARLY && sum(levels.subarray(0, low + 1)) + sum(levels.subarray(high)) >= ALMOST_ALL * grey.length;
}
