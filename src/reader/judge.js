// From the model's outputs to the text of the page.

/** The result for one image: decision, sentence and probabilities; no probabilities if it is out of range. */
export function judge(outputs, model) {
  const { decision, reason } = model.answers[outputs.answer[0]];
  if (!decision) {
    return { status: "out of range", reason, sentence: `No probability: the image is ${reason}. The network's output for such an image means nothing.` };
  }
  const side = decision === model.class_names[1] ? "at or above" : "below";
  const sentence = `The network's decision is ${decision}: the probability is ${side} the threshold of ${model.threshold.toFixed(2)}.`;
  return { status: "scored", reason, probability: outputs.probability[0], decision, sentence };
}

export const percent = (value) => `${(100 * value).toFixed(1)}%`;
const interval = (figure, text) => `${text(figure.value)} (${figure.low == null || figure.high == null ? "no interval" : `95% interval ${text(figure.low)} to ${text(figure.high)}`})`;

/** One sentence on where the threshold comes from, with what it was worth where it was fitted. */
export function threshold(model) {
  const told = `Threshold ${model.threshold.toFixed(2)}`;
  if (!model.place) return `${told}: the model's own. None was fitted for the place of your images.`;
  const { place, fitted_on: on, sensitivity, specificity } = model.place;
  return `${told}, fitted with its calibration on ${on.n.toLocaleString("en")} labelled images of ${on.n_groups.toLocaleString("en")} groups of “${place}”, where it has a sensitivity of ${interval(sensitivity, percent)} and a specificity of ${interval(specificity, percent)}, cross-fitted.`;
}

/** One sentence on the model's performance on a set of images. */
export function results(figures, place) {
  const count = figures.n ? `${figures.n.toLocaleString("en")} images` : "its images";
  const words = [["auc", "area under the ROC curve", (value) => value.toFixed(3)], ["sensitivity", "sensitivity", percent], ["specificity", "specificity", percent]];
  const told = words.filter(([name]) => figures[name]?.value != null).map(([name, word, text]) => `${word} ${interval(figures[name], text)}`);
  return `${place}, ${count}: ${told.join("; ")}.`;
}
