// The image on the screen: window and level, zoom, and the map over it. Nothing here changes a result.
import { geometry, resize } from "./resize.js";

const MOST_SIDE = 1400;
const WHOLE = { centre: 127.5, width: 255 };

export class Viewer {
  constructor(canvas, stage, output) {
    Object.assign(this, { canvas, stage, output, image: null, map: null, mapOn: false, moves: false });
    this.reset();
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => event.buttons === 1 && this.drag(event.movementX, event.movementY));
    canvas.addEventListener("wheel", (event) => { if (event.ctrlKey || event.altKey) { event.preventDefault(); this.magnify(event.deltaY < 0 ? 1.15 : 1 / 1.15); } }, { passive: false });
    new ResizeObserver(() => this.layOut()).observe(stage);
  }

  show(image, map, model) {
    const scale = Math.min(1, MOST_SIDE / Math.max(image.width, image.height));
    const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
    this.image = scale < 1 ? resize(image, width, height) : image;
    this.map = map && mapCanvas(map, model);
    this.part = model && mapPart(this.image, model);
    [this.canvas.width, this.canvas.height] = [this.image.width, this.image.height];
    this.reset();
  }

  reset() {
    Object.assign(this, { ...WHOLE, zoom: 1 });
    this.draw();
    this.layOut();
  }

  drag(across, down) {
    if (this.moves) this.stage.scrollBy(-across, -down);
    else this.setWindow(across, down);
  }

  setWindow(wider, higher) {
    this.width = Math.min(510, Math.max(2, this.width + wider));
    this.centre = Math.min(255, Math.max(0, this.centre + higher));
    this.draw();
  }

  magnify(factor) {
    this.zoom = Math.min(10, Math.max(1, this.zoom * factor));
    this.layOut();
  }

  setMap(on) {
    this.mapOn = on;
    this.draw();
  }

  layOut() {
    if (!this.image) return;
    const fit = Math.min(this.stage.clientWidth / this.image.width, this.stage.clientHeight / this.image.height);
    this.canvas.style.width = `${Math.floor(this.image.width * fit * this.zoom)}px`;
    this.canvas.style.height = `${Math.floor(this.image.height * fit * this.zoom)}px`;
    this.tell();
  }

  tell() {
    this.output.textContent = `Width ${Math.round(this.width)}, level ${Math.round(this.centre)}, zoom ${Math.round(100 * this.zoom)}%`;
  }

  draw() {
    if (!this.image) return;
    const shades = Uint8ClampedArray.from({ length: 256 }, (_, grey) => 255 * ((grey - this.centre) / this.width + 0.5));
    const context = this.canvas.getContext("2d");
    const pixels = context.createImageData(this.image.width, this.image.height);
    this.image.grey.forEach((grey, at) => pixels.data.set([shades[grey], shades[grey], shades[grey], 255], 4 * at));
    context.putImageData(pixels, 0, 0);
    if (this.map && this.mapOn) context.drawImage(this.map, ...this.part);
    this.tell();
  }
}

/** The map as a small picture that is drawn large: amber, more opaque where it supports the class more. */
function mapCanvas(values, model) {
  const [height, width] = model.map.shape;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  values.forEach((value, at) => pixels.data.set([255, 150, 0, 150 * value], 4 * at));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Left, top, width and height of the square of the network, in pixels of the displayed image. */
function mapPart(image, model) {
  const { box } = geometry(image.width, image.height, model.image_size, model.resize);
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  if (model.resize !== "pad") return [box[0], box[1], width, height];
  const side = Math.max(width, height);
  return [(width - side) / 2, (height - side) / 2, side, side];
}
