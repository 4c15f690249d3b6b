import assert from "node:assert/strict";
import test from "node:test";
import { chooseBits, isMask } from "../depth.js";
import { kind, refuseCutJpeg, refuseSize, sidesOfJpeg } from "../files.js";
import { beside, judge, number, percent, results, threshold } from "../judge.js";
import { readImage } from "../reading.js";
import { geometry, resize, square } from "../resize.js";
import { csv } from "../table.js";

const MODEL = { threshold: 0.5, class_names: ["NORMAL", "PNEUMONIA"], answers: [{ decision: "NORMAL", reason: "" }, { decision: "PNEUMONIA", reason: "" }, { decision: "", reason: "odd" }] };

test("resizing gives what Pillow gives", () => {
  const image = { grey: Uint8Array.from({ length: 7 * 5 }, (_, at) => (at * 37) % 256), width: 7, height: 5 };
  assert.deepEqual([...resize(image, 3, 2).grey], PILLOW.whole);
  assert.deepEqual([...resize(image, 4, 3, [0.5, 0, 6, 4.5]).grey], PILLOW.box);
  assert.deepEqual([...resize(image, 9, 6).grey], PILLOW.larger);
});

const PILLOW = {
  whole: [35, 114, 193, 41, 120, 199],
  box: [25, 77, 129, 179, 29, 81, 133, 183, 34, 86, 138, 188],
  larger: [0, 25, 53, 82, 111, 140, 169, 197, 222, 2, 27, 55, 84, 113, 142, 171, 199, 224, 5, 30, 58, 87, 116, 145, 174, 202, 227, 7, 32, 60, 89, 118, 147, 176, 204, 229, 10, 35, 63, 92, 121, 150, 179, 207, 232, 12, 37, 65, 94, 123, 152, 181, 209, 234],
};

test("the rule of resizing says what is used", () => {
  assert.deepEqual(geometry(300, 200, 128, "squeeze"), { box: [0, 0, 300, 200], fitted: [128, 128] });
  assert.deepEqual(geometry(300, 200, 128, "pad").fitted, [128, 85]);
  assert.deepEqual(geometry(300, 200, 128, "crop").box, [50, 0, 250, 200]);
});

test("padding is black, and a JPEG that is reduced first stays as bright", () => {
  const image = { grey: new Uint8Array(640 * 320).fill(90), width: 640, height: 320, isJpeg: true };
  const padded = square(image, 32, "pad");
  assert.deepEqual([padded[0], padded[16 * 32 + 16], padded[31 * 32]], [0, 90, 0]);
});

test("files are known by their content", () => {
  const text = (words) => new TextEncoder().encode(words);
  assert.throws(() => kind(text("a note")), /^Error: text, not an image$/);
  assert.throws(() => kind(text("GIF89a")), /reads only JPEG, PNG and DICOM/);
  assert.throws(() => kind(new Uint8Array(20)), /^Error: not an image$/);
  assert.throws(() => kind(new Uint8Array()), /empty file/);
  assert.equal(kind(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)), "jpeg");
});

test("a PNG that is turned by EXIF, and 16-bit colours that use the lower bits, are refused", async () => {
  const read = (base64) => readImage(Uint8Array.from(atob(base64), (one) => one.charCodeAt(0)), { min_side: 1, max_pixels: 1e6, max_file_bytes: 1e6 }, {});
  await assert.rejects(read(TURNED), /^Error: rotated by its EXIF orientation: store it upright$/);
  await assert.rejects(read(DARK), /^Error: 16 bits in several channels, of which the upper 8 show next to nothing$/);
});

// As Pillow writes them: 4 x 1 grey values and orientation 6; 3 x 1 colours of 0, 1365 and 4095.
const TURNED = "iVBORw0KGgoAAAANSUhEUgAAAAQAAAABCAAAAADcV1ARAAAAGmVYSWZNTQAqAAAACAABARIAAwAAAAEABgAAAAAAANZnS2kAAAANSURBVHicY2AIXfUfAANXAf8tZnLvAAAAAElFTkSuQmCC";
const DARK = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAABEAIAAADEEl+gAAAAEklEQVR4nGNgAAPWUBDk/w+CABNLBDnJEsBCAAAAAElFTkSuQmCC";

test("two grey levels are a mask, also blurred ones", () => {
  const levels = (...counts) => Uint8Array.from(counts.flatMap(([level, count]) => Array(count).fill(level)));
  assert.ok(isMask(levels([0, 90], [255, 10])));
  assert.ok(isMask(levels([0, 50], [2, 1], [255, 950])));
  assert.ok(!isMask(Uint8Array.from({ length: 256 }, (_, level) => level)));
  assert.ok(!isMask(levels([7, 9])));
});

test("files of one device that are given together share a range", () => {
  const values = (detector, highest) => ({ detector, stored: 16, lowest: 0, highest });
  assert.deepEqual(chooseBits([values("a", 1023), null, values("a", 1030), values("b", 1023)]), [12, 0, 12, 10]);
});

test("an image may be neither too small nor too large", () => {
  const limits = { min_side: 32, max_pixels: 50_000_000 };
  refuseSize(32, 1_000_000, limits);
  assert.throws(() => refuseSize(31, 500, limits), /^Error: too small: 31 x 500 pixels \(ingest.min_side is 32\)$/);
  assert.throws(() => refuseSize(10_000, 10_000, limits), /^Error: more than 50,000,000 pixels$/);
});

test("the size of a JPEG is found behind other segments, and a cut one is damaged", () => {
  const bytes = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc2, 0, 11, 8, 1, 0, 2, 0, 1, 0, 0, 0, 0xff, 0xd9);
  assert.deepEqual(sidesOfJpeg(bytes), [512, 256]);
  assert.throws(() => sidesOfJpeg(bytes.subarray(0, 10)), /header cannot be read/);
  refuseCutJpeg(bytes);
  assert.throws(() => refuseCutJpeg(bytes.subarray(0, 22)), /its end is missing/);
});

test("out of range there is no probability", () => {
  const said = judge({ probability: [0.9], answer: [2] }, MODEL);
  assert.equal(said.status, "out of range");
  assert.equal(said.probability, undefined);
  assert.match(said.sentence, /the image is odd/);
});

test("in range decision and probability are those of the graph", () => {
  const said = judge({ probability: [0.5], answer: [1] }, MODEL);
  assert.deepEqual([said.decision, said.probability], ["PNEUMONIA", 0.5]);
  assert.match(said.sentence, /the probability is at or above the threshold of 0\.500/);
  assert.match(judge({ probability: [0.4], answer: [0] }, MODEL).sentence, /NORMAL: the probability is below/);
});

test("a result without bounds is told without an interval", () => {
  assert.equal(results({ n: 12, auc: { value: 0.9, low: null, high: null } }, "Elsewhere"), "Elsewhere, 12 images: area under the ROC curve 0.900 (no interval).");
});

test("the page says where its threshold was fitted, and what it is worth there", () => {
  assert.equal(threshold(MODEL), "Threshold 0.500: the model's own. It was not fitted to the place of your images.");
  const rate = { value: 0.9, low: 0.8, high: 0.95 };
  const place = { place: "north", fitted_on: { n: 1200, n_groups: 700 }, sensitivity: rate, specificity: rate };
  assert.match(threshold({ ...MODEL, place }), /on 1,200 labelled images of 700 groups of “north”, where it has a sensitivity of 90.0% \(95% interval 80.0% to 95.0%\)/);
});

test("what is not none or all does not read as 0 or 1", () => {
  assert.deepEqual([0.9997, 0, 1, 0.25, 0.00004].map((value) => number(value)), ["0.9997", "0.000", "1.000", "0.250", "0.00004"]);
  assert.deepEqual([0.9996, 0, 1, 0.0004].map((value) => percent(value)), ["99.96%", "0.0%", "100.0%", "0.04%"]);
});

test("a probability does not read as one on the other side of the threshold", () => {
  assert.deepEqual([[0.4997, 0.5], [0.5, 0.5], [0.44, 0.5], [0.4472, 0.4474]].map(([value, edge]) => beside(value, edge)), ["49.97%", "50.0%", "44.0%", "44.7%"]);
  assert.equal(judge({ probability: [0.4997], answer: [0] }, MODEL).told, "49.97%");
});

test("rates at the model's own threshold are called that where the page has another", () => {
  const rate = { n: 10, sensitivity: { value: 0.9, low: 0.8, high: 0.95 } };
  assert.match(results(rate, "Elsewhere", false), /95\.0%\), at the model's own threshold\.$/);
  assert.match(results(rate, "Elsewhere"), /95\.0%\)\.$/);
});

test("results are told with their intervals", () => {
  assert.match(results({ n: 1000, auc: { value: 0.9, low: 0.8, high: 0.95 } }, "Elsewhere"), /Elsewhere, 1,000 images: .* 0\.900 \(95% interval 0\.800 to 0\.950\)/);
});

test("the table quotes, and disarms formulas", () => {
  const text = csv([{ name: '=1+"a".jpeg', status: "refused", reason: "damaged, sorry" }, { name: "b.png", status: "scored", probability: 0.25, decision: "NORMAL", reason: "" }]);
  assert.equal(text, 'file,status,probability,decision,reason\r\n"\'=1+""a"".jpeg",refused,,,"damaged, sorry"\r\nb.png,scored,0.25,NORMAL,\r\n');
});
