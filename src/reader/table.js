// The table that is saved.

const COLUMNS = ["file", "status", "probability", "decision", "reason"];

// A cell that begins like a formula would be run by a spreadsheet.
function cell(value) {
  const text = value == null ? "" : String(value);
  const safe = /^[=+\-@\t\r']/.test(text) && typeof value !== "number" ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The rows as CSV, each ended as RFC 4180 asks. */
export function csv(rows) {
  const lines = rows.map((row) => [
    row.name, row.status, row.probability, row.decision, row.reason,
  ]);
  return [COLUMNS, ...lines].map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}
