// The type of a file, by its content, and reasons to refuse it before it is decoded.

export class Refused extends Error {}

export const MOST_MEGAPIXELS = 50;
export const MOST_MEGABYTES = 200;

/** "jpeg", "png" or "dicom". */
export function kind(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "jpeg";
  if ([0x89, 0x50, 0x4e, 0x47].every((byte, at) => bytes[at] === byte)) return "png";
  if (String.fromCharCode(...bytes.subarray(128, 132)) === "DICM") return "dicom";
  throw new Refused("This is not a JPEG, PNG or DICOM file, whatever its name says.");
}

/** Width and height from the header of a JPEG or PNG, so that a huge image is never decoded. */
export function sides(bytes, type) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type === "png" && bytes.length >= 24) return [view.getUint32(16), view.getUint32(20)];
  for (let at = 2; type === "jpeg" && at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1];
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    else at += 2 + view.getUint16(at + 2);
  }
  throw new Refused("The file is damaged: its header does not say how large the image is.");
}

/** Refuse an image that is too large, or empty. */
export function refuseSize(width, height) {
  if (!width || !height) throw new Refused("The file is damaged: the image has no pixels.");
  const megapixels = (width * height) / 1e6;
  if (megapixels > MOST_MEGAPIXELS) {
    throw new Refused(`The image has ${Math.round(megapixels)} megapixels; the limit of this page is ${MOST_MEGAPIXELS}. Export a smaller one.`);
  }
}
