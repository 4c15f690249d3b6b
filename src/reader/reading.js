// From a file to grey values, with the browser's own JPEG and PNG decoders.
import { readDicom } from "./dicom.js";
import { kind, MOST_MEGABYTES, Refused, refuseSize, sides } from "./files.js";

/** The image in a file: {grey, width, height, isJpeg}. */
export async function readImage(file) {
  if (file.size > MOST_MEGABYTES * 1e6) throw new Refused(`The file is larger than ${MOST_MEGABYTES} MB, the limit of this page.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const type = kind(bytes);
  if (type === "dicom") return { ...readDicom(bytes), isJpeg: false };
  refuseSize(...sides(bytes, type));
  return { ...(await raster(new Blob([bytes], { type: `image/${type}` }))), isJpeg: type === "jpeg" };
}

async function raster(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "default" });
  } catch {
    throw new Refused("The file is damaged: the image cannot be decoded.");
  }
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const grey = new Uint8Array(width * height);
  // Luminance of ITU-R 601-2 in Pillow's whole numbers.
  for (let at = 0; at < grey.length; at++) grey[at] = (data[4 * at] * 19595 + data[4 * at + 1] * 38470 + data[4 * at + 2] * 7471 + 0x8000) >> 16;
  return { grey, width, height };
}
