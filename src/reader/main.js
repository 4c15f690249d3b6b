import { chooseBits, isMask } from "./depth.js";
import { Refused } from "./files.js";
import { judge, percent, results, threshold } from "./judge.js";
import { loadNetwork, tools } from "./network.js";
import { readImage } from "./reading.js";
import { square } from "./resize.js";
import { csv } from "./table.js";
import { Viewer } from "./viewer.js";

const at = (id) => document.getElementById(id);
const model = JSON.parse(at("model-json").textContent);
const viewer = new Viewer(at("canvas"), at("stage"), at("window"));
const rows = [];
let queue = Promise.resolve();
let current = null;

const say = (text) => { at("state").textContent = text; };

function introduce() {
  at("notice").textContent = model.notice;
  at("trained").textContent = `Trained on: ${model.trained_on}`;
  at("own").textContent = results(model.results.test, "The model's own test images, held out of training", !model.place);
  at("external").textContent = model.results.external
    ? results(model.results.external, model.results.external.place ? `Images of “${model.results.external.place}”` : "Images of another place, which was not named", !model.place)
    : "This export has no result of a test on images of another place. Expect the model to do worse there.";
  at("threshold").textContent = threshold(model);
  at("model-facts").textContent = `Model ${model.versions.model}, run ${model.lineage.run_id}. Licence of the model: ${model.licence}.`;
  at("about-map").hidden = !model.map;
  at("map").closest("label").hidden = !model.map;
}

const readFile = async (file) => readImage(new Uint8Array(await file.arrayBuffer()), model.limits, tools);

const reasonOf = (error) => (error instanceof Refused ? error.message : "it could not be processed; this browser may not have enough memory for it");

/** Decode an image; `bits` is the range of its values, if they have one. */
async function decode(file, bits) {
  const image = await readFile(file);
  const grey = image.grey(bits);
  if (isMask(grey) && isMask(image.grey(0))) throw new Refused("not a radiograph: two grey levels, as in a mask");
  return { ...image, grey };
}

async function examine(network, file, bits) {
  const row = { name: file.name, file, bits };
  try {
    const outputs = await network(square(await decode(file, bits), model.image_size, model.resize));
    Object.assign(row, judge(outputs, model));
    if (row.status === "scored") row.map = outputs.map;
  } catch (error) {
    Object.assign(row, { status: "refused", reason: reasonOf(error) });
    row.sentence = `Not scored: ${row.reason}.`;
  }
  return row;
}

/** The ranges of files that are given together: those of one device that do not say theirs share one. */
async function findBits(files) {
  const values = [];
  for (const file of files) {
    values.push(files.length < 2 || /\.jpe?g$/i.test(file.name) ? null : await readFile(file).then((image) => image.values, () => null));
  }
  return chooseBits(values);
}

function addLine(row) {
  const line = at("rows").insertRow();
  const name = line.insertCell();
  if (row.status === "refused") name.textContent = row.name;
  else {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: row.name });
    button.addEventListener("click", () => open(row, line, true));
    name.append(button);
  }
  line.insertCell().textContent = row.status === "scored" ? row.told : "none";
  line.insertCell().textContent = row.status === "scored" ? row.decision : row.sentence;
  return line;
}

async function open(row, line, focus) {
  current = row;
  let image;
  try {
    image = await decode(row.file, row.bits);
  } catch (error) {
    // The file may have been moved since it was scored.
    say(`${row.name}: ${reasonOf(error)}`);
    return;
  }
  if (current !== row) return;
  for (const other of at("rows").rows) other.removeAttribute("aria-current");
  line.setAttribute("aria-current", "true");
  at("view").hidden = false;
  at("view-title").textContent = row.name;
  at("verdict").textContent = row.status === "scored" ? `${model.class_names[1]}: ${row.told}` : "Out of range";
  at("sentence").textContent = row.status === "scored" ? `${row.sentence} ${limits(row)}` : row.sentence;
  at("canvas").setAttribute("aria-label", `Radiograph ${row.name}, ${image.width} by ${image.height} pixels. ${at("verdict").textContent}`);
  at("map").disabled = !row.map;
  viewer.show(image, row.map, model);
  if (focus) at("view-title").focus();
}

function limits(row) {
  const { method, prevalence } = model.calibration;
  const scale = method === "none" ? "The percentage is the network's own, which is not calibrated." :
    `The percentage is calibrated for images of which ${percent(prevalence)} show the finding; at other shares it differs.`;
  return `${scale} A low value does not exclude disease.`;
}

async function take(files, network) {
  say(`${files.length} files …`);
  const bits = await findBits(files);
  for (const [index, file] of files.entries()) {
    say(`Image ${index + 1} of ${files.length} …`);
    const row = await examine(network, file, bits[index]);
    rows.push(row);
    at("listed").hidden = false;
    const line = addLine(row);
    // An image that cannot be shown is still scored, and the next one follows.
    if (!current && row.status !== "refused") await open(row, line, false).catch(() => say(`${row.name} cannot be shown.`));
    // Lets the browser draw and answer between two images.
    await new Promise((done) => setTimeout(done));
  }
  const count = (status) => rows.filter((row) => row.status === status).length;
  say(`Done: ${count("scored")} scored, ${count("out of range")} out of range, ${count("refused")} refused.`);
}

function listen(network) {
  const add = (files) => { const list = [...files]; queue = queue.then(() => take(list, network)).catch((error) => say(`Not all files were scored: ${error.message}. Choose them again.`)); };
  at("choose").addEventListener("change", (event) => { add(event.target.files); event.target.value = ""; });
  addEventListener("dragover", (event) => { event.preventDefault(); at("drop").classList.add("over"); });
  addEventListener("dragleave", () => at("drop").classList.remove("over"));
  addEventListener("drop", (event) => { event.preventDefault(); at("drop").classList.remove("over"); add(event.dataTransfer.files); });
  at("save").addEventListener("click", save);
  at("clear").addEventListener("click", () => { queue = queue.then(clear); });
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv(rows)], { type: "text/csv" }));
  link.download = "radiographs.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function clear() {
  rows.length = 0;
  current = null;
  at("rows").replaceChildren();
  at("listed").hidden = at("view").hidden = true;
  say("All images removed.");
  at("choose").focus();
}

function steer() {
  const setMap = (on) => { if (at("map").disabled || !model.map) return; at("map").checked = on; viewer.setMap(on); };
  const keys = {
    ArrowLeft: () => viewer.setWindow(-8, 0), ArrowRight: () => viewer.setWindow(8, 0), ArrowUp: () => viewer.setWindow(0, -8), ArrowDown: () => viewer.setWindow(0, 8),
    "+": () => viewer.magnify(1.25), "-": () => viewer.magnify(0.8), 0: () => viewer.reset(), m: () => setMap(!at("map").checked),
  };
  at("canvas").addEventListener("keydown", (event) => { if (keys[event.key] && !event.ctrlKey && !event.metaKey) { event.preventDefault(); keys[event.key](); } });
  at("map").addEventListener("change", (event) => setMap(event.target.checked));
  at("move").addEventListener("change", (event) => { viewer.moves = event.target.checked; });
  at("in").addEventListener("click", keys["+"]);
  at("out").addEventListener("click", keys["-"]);
  at("reset").addEventListener("click", keys[0]);
}

introduce();
steer();
try {
  listen(await loadNetwork(model));
  say("Ready.");
} catch {
  say("The network could not be started in this browser. It needs WebAssembly and DecompressionStream: use an up-to-date browser.");
}
