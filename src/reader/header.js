// What a DICOM header says of an object: as images/dicom_header.py, with the same words.
import { SEVERAL_FRAMES } from "./files.js";
import words from "../pneumonia/images/dicom_words.json" with { type: "json" };

const [FRONTAL, LATERAL] = ["FRONTAL", "LATERAL"];
const VIEWS = { ap: "AP", pa: "PA", frontal: FRONTAL, lateral: LATERAL };
const TEXTS = ["SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription"];
const STANDARD = "1.2.840.10008.";
const IMAGES = "1.2.840.10008.5.1.4.1.1";
const RADIOGRAPHS = [".1", ".1.1", ".7", ".12.2"].map((end) => IMAGES + end);
const RAW = [".1.1.1", ".66"].map((end) => IMAGES + end);
const RIGHT = /(?<![\p{L}\p{N}])SAĞ(?![\p{L}\p{N}])/gu; // Turkish; without its mark it is short for sagittal
const LETTERS = { Ł: "L", Ø: "O", Đ: "D", Æ: "AE", Œ: "OE" };

const listed = (kind, name) => words[kind][name].flatMap((line) => line.split(" "));
const alternatives = Object.fromEntries(Object.keys(words.words).map((name) => [name, listed("words", name).map((word) => word.replaceAll("_", " "))]));
const has = (text, name) => alternatives[name].some((one) => text.includes(one));

/** Why an object is no frontal chest radiograph for presentation; empty if it is, as far as is known. */
export function refusalOf(header) {
  return refusalOfKind(header) || refusalOfPart(header) || (viewOf(header) === LATERAL ? "not a frontal view: other view position" : "");
}

/** A text in capitals without accents and punctuation, each word between spaces; single letters are joined. */
export function plain(text) {
  const marked = text.normalize("NFC").toUpperCase().replace(RIGHT, "RIGHT");
  const capitals = marked.replace(/[ŁØĐÆŒ]/g, (letter) => LETTERS[letter]).normalize("NFKD");
  const kept = [...capitals].filter((one) => !isCombining(one)).map((one) => (/[\p{L}\p{N}]/u.test(one) ? one : " "));
  const found = kept.join("").normalize("NFC").split(/\s+/).filter(Boolean);
  return found.length ? ` ${found.join(" ").replace(/(?<=\b[A-Z]) (?=[A-Z]\b)/g, "")} ` : "";
}

// Normalisation puts a mark of a lower combining class first, and moves only marks that combine.
const isCombining = (one) => `${one}\u0334`.normalize("NFD") !== `${one}\u0334`;

function refusalOfKind(header) {
  const modality = plain(header.Modality ?? "").trim();
  const kind = header.SOPClassUID ?? "";
  const isOther = kind.startsWith(STANDARD) && !RADIOGRAPHS.includes(kind) && !kind.startsWith(`${IMAGES}.7.`);
  if (listed("modalities", "other").includes(modality)) return `not a radiograph: other modality (${modality})`;
  if (RAW.includes(kind) || plain(header.PresentationIntentType ?? "") === " FOR PROCESSING ") return "raw detector data (FOR PROCESSING): export the image for presentation";
  if (isOther) return "not a radiograph: other kind of object, by its SOP class";
  if (!header.PixelData) return "no pixel data";
  if (header.NumberOfFrames > 1) return SEVERAL_FRAMES;
  if (plain(header.BurnedInAnnotation ?? "") === " YES ") return "burned-in annotation, which may name the patient";
  return "";
}

function refusalOfPart(header) {
  const text = plain(header.BodyPartExamined ?? "");
  const found = text ? partOf(text) : partOfCodes(header.AnatomicRegionSequence ?? []) || partOf(described(header, "no_part"));
  return found === "other" ? "not a chest: other body part" : "";
}

function partOfCodes(codes) {
  const named = ["chest", "other"].find((name) => codes.some(([value]) => listed("region_codes", name).includes(value.trim())));
  return named ?? partOf(codes.map(([, meaning]) => plain(meaning)).join(""));
}

// What the descriptions say together, without words that are listed as unclear.
const described = (header, unclear) =>
  alternatives[unclear].reduce((text, word) => text.replaceAll(word, " "), TEXTS.map((name) => plain(header[name] ?? "")).join(""));

function partOf(text) {
  if (has(text, "not_chest")) return "other";
  if (has(text, "chest")) return "chest";
  if (has(text, "other")) return "other";
  return has(text, "weak_chest") ? "chest" : "";
}

function viewOf(header) {
  const told = [
    viewIn(plain(header.ViewPosition ?? "")),
    viewOfCodes(header.ViewCodeSequence ?? []),
    viewOfOrientation(header.PatientOrientation ?? ""),
    viewIn(plain(header.BodyPartExamined ?? "")),
  ];
  return told.find(Boolean) || viewIn(described(header, "no_view"));
}

/** The view that a text names; "" if it names none, or frontal and lateral ones. */
function viewIn(text) {
  const found = Object.keys(VIEWS).filter((name) => has(text, name)).map((name) => VIEWS[name]);
  if (found.includes(LATERAL)) return found.length === 1 ? LATERAL : "";
  return found.includes("AP") && found.includes("PA") ? FRONTAL : found[0] ?? "";
}

function viewOfCodes(codes) {
  for (const [value, meaning] of codes) {
    const view = VIEWS[Object.keys(VIEWS).find((name) => listed("view_codes", name).includes(value.trim()))] ?? viewIn(plain(meaning));
    if (view) return view;
  }
  return "";
}

/** A frontal view has neither anterior nor posterior in the directions of its rows and columns. */
function viewOfOrientation(text) {
  const directions = text.split("\\").map((part) => part.trim().toUpperCase().slice(0, 1)).slice(0, 2);
  if (directions.includes("A") || directions.includes("P")) return LATERAL;
  const isFrontal = directions.length === 2 && directions.some((one) => "LR".includes(one || "?")) && directions.some((one) => "HF".includes(one || "?"));
  return isFrontal ? FRONTAL : "";
}
