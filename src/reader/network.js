// The network, run by onnxruntime-web in WebAssembly on one thread.
import * as ort from "onnxruntime-web/wasm";

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
