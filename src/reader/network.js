// What the page's file brings along: the network, run by onnxruntime-web in WebAssembly on one thread, and decoders.
import * as ort from "onnxruntime-web/wasm";
import { Refused } from "./files.js";
import { luminance } from "./reading.js";

const bytesOf = (text) => Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));

async function unpacked(id) {
  const element = document.getElementById(id);
  const stream = new Blob([bytesOf(element.textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  element.remove();
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Load the network; returns a function from pixels, uint8 [size * size], to its outputs by name, of one image. */
export async function loadNetwork(model) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = await unpacked("runtime");
  const session = await ort.InferenceSession.create(await unpacked("model-onnx"), { executionProviders: ["wasm"] });
  const size = model.image_size;
  return async (pixels) => {
    const outputs = await session.run({ [model.input.name]: new ort.Tensor("uint8", pixels, [1, size, size, 1]) });
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, Array.from(tensor.data)]));
  };
}

/** What `readImage` needs of a browser. */
export const tools = { raster, wasm: unpacked };

async function raster(bytes, type) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: "none", premultiplyAlpha: "default" });
  } catch {
    throw new Refused("damaged: it cannot be decoded");
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, grey: Uint8Array.from({ length: width * height }, (_, at) => luminance(data, 4 * at)) };
}
