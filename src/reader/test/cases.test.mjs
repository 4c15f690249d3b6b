// The cases of tests/cases, which Python and the exported script answer as well: `make reader-test` writes them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { Refused } from "../files.js";
import { readImage } from "../reading.js";
import { square } from "../resize.js";

const folder = process.env.CASES ?? new URL("../../../build/cases", import.meta.url).pathname;
const { size, files } = JSON.parse(readFileSync(`${folder}/cases.json`));
const { resolve } = createRequire(import.meta.url);
const LIMITS = { min_side: 1, max_pixels: 50_000_000, max_file_bytes: 2 ** 27 };
const TOOLS = {
  raster: () => assert.fail("only a browser decodes this"),
  wasm: async (name) => new Uint8Array(readFileSync(resolve(`@cornerstonejs/codec-${name}/decodewasm`))),
};

async function answer(bytes) {
  try {
    const image = await readImage(bytes, LIMITS, TOOLS);
    return { ...image, refusal: "", grey: image.grey(0) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { refusal: error.message };
  }
}

for (const [number, { name, refusal, grey, squares }] of files.entries()) {
  test(name, async () => {
    const said = await answer(new Uint8Array(readFileSync(`${folder}/${number}`)));
    assert.equal(said.refusal.slice(0, refusal.length || undefined), refusal);
    if (grey) assert.deepEqual([...said.grey], grey);
    for (const [rule, pixels] of Object.entries(squares ?? {})) assert.deepEqual([...square(said, size, rule)], pixels);
  });
}
