// From the model's outputs to the text of the page.

/** The result for one image: decision, sentence and probabilities; no probabilities if it is out of range. */
export function judge(outputs, model) {
  const { decision, reason } = model.answers[outputs.answer[0]];
  if (!decision) {
    return { status: "out of range", reason, sentence: `No probability: the image is ${reason}. The network's output for such an image means nothing.` };
  }
  const probability = outputs.probability[0], side = decision === model.class_names[1] ? "at or above" : "below";
  const sentence = `The network's decision is ${decision}: the probability is ${side} the threshold of ${number(model.threshold)}.`;
  return { status: "scored", reason, probability, told: beside(probability, model.threshold), decision, sentence };
}

const MOST_DIGITS = 9;

/** A number with three decimals, or as many as it takes: what is not 0 or 1 does not read as one of them. */
export function number(value, digits = 3, scale = 1) {
  const reads = (more) => [0, scale].includes(Number((scale * value).toFixed(more)));
  let chosen = digits;
  while (value > 0 && value < 1 && chosen < MOST_DIGITS && reads(chosen)) chosen += 1;
  return (scale * value).toFixed(chosen);
}

export const percent = (value, digits = 1) => `${number(value, digits, 100)}%`;

/** A percentage with as many decimals as it takes not to read as what lies on the other side of the threshold. */
export function beside(value, threshold) {
  let digits = 1;
  while (digits < MOST_DIGITS && (Number(value.toFixed(digits + 2)) >= threshold) !== (value >= threshold)) digits += 1;
  return percent(value, digits);
}

const interval = (figure, text) => `${text(figure.value)} (${figure.low == null || figure.high == null ? "no interval" : `95% interval ${text(figure.low)} to ${text(figure.high)}`})`;

/** One sentence on where the threshold comes from, with what it was worth where it was fitted. */
export function threshold(model) {
  const told = `Threshold ${number(model.threshold)}`;
  if (!model.place) return `${told}: the model's own. It was not fitted to the place of your images.`;
  const { place, fitted_on: on, sensitivity, specificity } = model.place;
  return `${told}, fitted with its calibration on ${on.n.toLocaleString("en")} labelled images of ${on.n_groups.toLocaleString("en")} groups of “${place}”, where it has a sensitivity of ${interval(sensitivity, percent)} and a specificity of ${interval(specificity, percent)}, cross-fitted.`;
}

/** One sentence on the model's performance on a set of images; rates are at the model's own threshold. */
export function results(figures, images, isOwnThreshold = true) {
  const count = figures.n ? `${figures.n.toLocaleString("en")} images` : "its images";
  const words = [["auc", "area under the ROC curve", number], ["sensitivity", "sensitivity", percent], ["specificity", "specificity", percent]];
  const told = words.filter(([name]) => figures[name]?.value != null).map(([name, word, text]) => `${word} ${interval(figures[name], (value) => text(value))}`);
  return `${images}, ${count}: ${told.join("; ")}${isOwnThreshold ? "" : ", at the model's own threshold"}.`;
}
