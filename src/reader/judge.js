// From the model's outputs to the text of the page.

/** Probability after calibration, as model.json describes it. */
export function calibrate(probability, how) {
  const kept = Math.min(Math.max(probability, 1e-7), 1 - 1e-7);
  if (how.method === "isotonic") {
    const at = how.x.findIndex((value) => value >= kept);
    if (at <= 0) return at ? how.y.at(-1) : how.y[0];
    const share = (kept - how.x[at - 1]) / (how.x[at] - how.x[at - 1]);
    return how.y[at - 1] + share * (how.y[at] - how.y[at - 1]);
  }
  const odds = (how.slope ?? 1) * Math.log(kept / (1 - kept)) + (how.intercept ?? 0);
  return 1 / (1 + Math.exp(-odds));
}

/** The result for one image: decision, sentence and probabilities; no probabilities if it is out of range. */
export function judge(outputs, model) {
  const largest = Math.max(...outputs.distance);
  if (!(largest <= 1)) {
    const reason = model.range.reasons[model.range.kinds[outputs.distance.indexOf(largest)]] ?? "its values are no numbers";
    return { status: "out of range", sentence: `No probability: the image is ${reason}. The network's output for such an image means nothing.` };
  }
  const probability = outputs.probability[0];
  const calibrated = calibrate(probability, model.calibration);
  const decision = model.class_names[probability >= model.threshold ? 1 : 0];
  const side = probability >= model.threshold ? "at or above" : "below";
  const sentence = `The network's decision is ${decision}: the score is ${side} its threshold of ${model.threshold.toFixed(2)}.`;
  return { status: "scored", probability, calibrated, decision, sentence };
}

export const percent = (value) => `${(100 * value).toFixed(1)}%`;
const interval = (figure, text) => `${text(figure.value)} (${figure.low == null || figure.high == null ? "no interval" : `95% interval ${text(figure.low)} to ${text(figure.high)}`})`;

/** One sentence on the model's performance on a set of images. */
export function results(figures, place) {
  const count = figures.n ? `${figures.n.toLocaleString("en")} images` : "its images";
  const words = [["auc", "area under the ROC curve", (value) => value.toFixed(3)], ["sensitivity", "sensitivity", percent], ["specificity", "specificity", percent]];
  const told = words.filter(([name]) => figures[name]?.value != null).map(([name, word, text]) => `${word} ${interval(figures[name], text)}`);
  return `${place}, ${count}: ${told.join("; ")}.`;
}
