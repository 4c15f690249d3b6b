// What a file is, by its content, and reasons to refuse it before it is decoded: as images/examine.py.

/** A reason why a file is not scored. */
export class Refused extends Error {}
export const SEVERAL_FRAMES = "several frames in one file";

const SIGNATURES = [[0xff, 0xd8], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], ...["GIF8", "BM", "II*\0", "MM\0*", "II+\0", "MM\0+", "RIFF", "\0\0\0\fjP"].map((one) => [...one])];
const begins = (bytes, signature) => signature.every((one, at) => bytes[at] === (typeof one === "string" ? one.charCodeAt(0) : one));

/** "jpeg" or "png". */
export function kind(bytes) {
  if (!bytes.length) throw new Refused("empty file");
  const at = SIGNATURES.findIndex((signature) => begins(bytes, signature));
  if (at === 0 && bytes[2] === 0xff) return "jpeg";
  if (at === 1) return "png";
  if (at > 1) throw new Refused("this page reads only JPEG, PNG and DICOM");
  if (at === 0) throw new Refused("damaged: its header cannot be read");
  const isText = bytes.subarray(0, 512).every((byte) => (byte >= 32 && byte < 0xfe) || [9, 10, 13].includes(byte));
  throw new Refused(isText ? "text, not an image" : "not an image");
}

/** Width and height from the header of a JPEG, so that a huge image is never decoded. */
export function sidesOfJpeg(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    else at += 2 + view.getUint16(at + 2);
  }
  throw new Refused("damaged: its header cannot be read");
}

/** Refuse a JPEG without its end, or with image data after it. */
export function refuseCutJpeg(bytes) {
  const last = (marker) => bytes.findLastIndex((byte, at) => byte === 0xff && bytes[at + 1] === marker);
  const end = last(0xd9);
  if (end < 0 || last(0xda) > end) throw new Refused("truncated: its end is missing");
}

/** Refuse an image that is too small or too large, by the limits of model.json. */
export function refuseSize(width, height, limits) {
  if (Math.min(width, height) < limits.min_side) throw new Refused(`too small: ${width} x ${height} pixels (ingest.min_side is ${limits.min_side})`);
  if (width * height > limits.max_pixels) throw new Refused(`more than ${limits.max_pixels.toLocaleString("en")} pixels`);
}
