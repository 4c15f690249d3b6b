// Pillow's BILINEAR resize of 8-bit grey values: a triangle filter as wide as the step, two passes, fixed point.

const BITS = 22;
const HALF = 1 << (BITS - 1);

/** Weights of each output pixel over the input span [low, high), as whole numbers of 1 / 2^22. */
export function weights(inputSize, low, high, outputSize) {
  const scale = (high - low) / outputSize;
  const support = Math.max(scale, 1);
  return Array.from({ length: outputSize }, (_, index) => {
    const centre = low + (index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(inputSize, Math.trunc(centre + support + 0.5));
    const values = [];
    for (let at = first; at < end; at++) values.push(Math.max(0, 1 - Math.abs((at - centre + 0.5) * (1 / support))));
    const share = 1 / values.reduce((sum, value) => sum + value, 0);
    return { first, values: values.map((value) => Math.trunc(0.5 + value * share * (1 << BITS))) };
  });
}

const rounded = (sum) => Math.min(255, Math.max(0, Math.floor((sum + HALF) / (1 << BITS))));

const SIDES = ["width", "height"];

/** Resize `image` {grey, width, height} to width x height; `box` is [left, top, right, bottom] of the part used. */
export function resize(image, width, height, box = [0, 0, image.width, image.height]) {
  // Pillow 13 begins with the height where that takes away more than twice as many lines.
  const isTall = image.height > height && image.height - height > 2 * (image.width - width);
  const across = (one) => pass(one, 0, width, box[0], box[2]);
  const down = (one) => pass(one, 1, height, box[1], box[3]);
  return isTall ? across(down(image)) : down(across(image));
}

/** Resize along one axis, 0 or 1. */
function pass(image, axis, size, low, high) {
  if (image[SIDES[axis]] === size && low === 0 && high === size) return image;
  const shape = { width: image.width, height: image.height, [SIDES[axis]]: size };
  const spans = weights(image[SIDES[axis]], low, high, size);
  const step = axis ? image.width : 1;
  const grey = new Uint8Array(shape.width * shape.height);
  for (let y = 0; y < shape.height; y++) {
    for (let x = 0; x < shape.width; x++) {
      const { first, values } = spans[axis ? y : x];
      const start = axis ? first * image.width + x : y * image.width + first;
      let sum = 0;
      for (let k = 0; k < values.length; k++) sum += image.grey[start + k * step] * values[k];
      grey[y * shape.width + x] = rounded(sum);
    }
  }
  return { grey, ...shape };
}

/** Mean of each step x step block, in place of libjpeg's decoding at 1 / step. */
function blocks(image, step) {
  const width = Math.ceil(image.width / step);
  const height = Math.ceil(image.height / step);
  const grey = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const right = Math.min(image.width, (x + 1) * step);
      const bottom = Math.min(image.height, (y + 1) * step);
      let sum = 0;
      for (let v = y * step; v < bottom; v++) for (let u = x * step; u < right; u++) sum += image.grey[v * image.width + u];
      grey[y * width + x] = Math.round(sum / ((right - x * step) * (bottom - y * step)));
    }
  }
  return { grey, width, height };
}

// Python rounds a half to the even number.
const even = (value) => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

/** The part of an image that is used, and the size it comes to, by the rule of model.json. */
export function geometry(width, height, size, rule) {
  const whole = [0, 0, width, height];
  if (rule === "squeeze") return { box: whole, fitted: [size, size] };
  if (rule === "pad") {
    const scale = size / Math.max(width, height);
    return { box: whole, fitted: [width, height].map((side) => Math.max(1, even(side * scale))) };
  }
  const side = Math.min(width, height);
  const [left, top] = [(width - side) / 2, (height - side) / 2];
  return { box: [left, top, left + side, top + side], fitted: [size, size] };
}

/** The square a network sees. A JPEG is first reduced by 8, 4 or 2 where twice the wanted size is left. */
export function square(image, size, rule) {
  const { box, fitted } = geometry(image.width, image.height, size, rule);
  let source = image;
  let step = 1;
  if (image.isJpeg) {
    const wanted = [Math.ceil((image.width * 2 * fitted[0]) / (box[2] - box[0])), Math.ceil((image.height * 2 * fitted[1]) / (box[3] - box[1]))];
    const most = Math.min(Math.floor(image.width / wanted[0]), Math.floor(image.height / wanted[1]));
    step = [8, 4, 2].find((one) => most >= one) ?? 1;
    if (step > 1) source = blocks(image, step);
  }
  const small = resize(source, fitted[0], fitted[1], box.map((edge) => edge / step));
  const grey = new Uint8Array(size * size);
  const left = Math.floor((size - fitted[0]) / 2);
  const top = Math.floor((size - fitted[1]) / 2);
  for (let y = 0; y < fitted[1]; y++) grey.set(small.grey.subarray(y * fitted[0], (y + 1) * fitted[0]), (top + y) * size + left);
  return grey;
}
