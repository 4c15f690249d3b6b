// Builds build/reader/index.html: node build.mjs [FOLDER of an exported model]. Without one, the newest is used.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const read = (path) => readFileSync(path, "utf8");
const modules = join(here, "node_modules");

function newestExport() {
  const homes = ["data/06_models/exported", "data/demo/06_models/exported"].map((home) => join(root, home)).filter(existsSync);
  const found = homes.flatMap((home) => readdirSync(home, { recursive: true }).filter((path) => path.endsWith("model.json")).map((path) => dirname(join(home, path))));
  return found.sort((one, other) => statSync(join(one, "model.json")).mtimeMs - statSync(join(other, "model.json")).mtimeMs).at(-1);
}

const LICENCES = {
  "onnxruntime-web": join(here, "licences/onnxruntime.txt"), "@cornerstonejs/codec-openjpeg": join(here, "licences/openjpeg.txt"),
  "@cornerstonejs/codec-charls": join(here, "licences/charls.txt"), "dicom-parser": "LICENSE", "fast-png": "LICENSE", fflate: "LICENSE", iobuffer: "LICENSE",
  "jpeg-lossless-decoder-js": "LICENSE",
};

function licences() {
  const text = ([name, path]) => {
    const folder = join(modules, name);
    return `${name} ${JSON.parse(read(join(folder, "package.json"))).version}\n\n${read(path === "LICENSE" ? join(folder, path) : path)}`;
  };
  return Object.entries(LICENCES).map(text).join("\n\n");
}

const escapeText = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const packed = (path) => gzipSync(readFileSync(path), { level: 9 }).toString("base64");
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

async function script() {
  const bundle = await build({
    entryPoints: [join(here, "main.js")], bundle: true, format: "esm", minify: true, write: false, target: "es2022",
    external: ["module", "worker_threads", "node:*", "fs", "path", "os"], legalComments: "none", logLevel: "error",
  });
  // "</script" and "<!--" within would end or change the script of the page.
  return bundle.outputFiles[0].text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
}

const folder = process.argv[2] ?? newestExport();
if (!folder || !existsSync(join(folder, "model.onnx"))) {
  console.error("There is no exported model. Run the export pipeline first, or name the folder of one.");
  process.exit(1);
}
const contract = JSON.parse(read(join(folder, "model.json")));
const shape = contract.map?.shape;
if (contract.format !== 3 || !contract.limits || (shape && !shape.every(Number.isInteger))) {
  console.error(`The model of ${folder} was exported by another release. Export it again: kedro run --pipelines=export.`);
  process.exit(1);
}
const css = read(join(here, "page.css"));
const js = await script();
const parts = {
  CSP: `default-src 'none'; script-src ${hash(js)} 'wasm-unsafe-eval'; style-src ${hash(css)}; connect-src 'none'; base-uri 'none'; form-action 'none'`,
  CSS: css, SCRIPT: js, LICENCES: escapeText(licences()),
  MODEL_JSON: read(join(folder, "model.json")).replaceAll("<", "\\u003c"),
  MODEL: packed(join(folder, "model.onnx")), WASM: packed(join(modules, "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm")),
  OPENJPEG: packed(join(modules, "@cornerstonejs/codec-openjpeg/dist/openjpegwasm_decode.wasm")),
  CHARLS: packed(join(modules, "@cornerstonejs/codec-charls/dist/charlswasm_decode.wasm")),
};
const page = read(join(here, "page.html")).replace(/%([A-Z_]+)%/g, (_, name) => parts[name]);
const target = join(process.env.READER_OUT ?? join(root, "build/reader"), "index.html");
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, page);
console.log(`${target}: ${(page.length / 1e6).toFixed(1)} MB, model of ${folder}`);
