// The model, beside the page and not in its way: loads the graphs, resizes and encodes photographs, decodes hybrids.
//
// In: {id, do: 'load' | 'encode' | 'decode', ...}. Out: {id, ...} once done, {id, problem} if it cannot be done, and
// {progress: 0..1} while loading. Codes stay here, so that moving the slider costs one decoding.
import * as ort from './runtime/ort.wasm.min.mjs';

let page, encoder, decoder, last = Promise.resolve();
const codes = new Map();  // by the number of the order that encoded them: {role, structure, texture, width, height}

// One after the other, in the order in which they were asked.
self.onmessage = ({data}) => {
  last = last.then(async () => {
    try {
      const [answer, transfer] = await WORK[data.do](data);
      postMessage({id: data.id, ...answer}, transfer);
    } catch (error) {
      postMessage({id: data.id, problem: String(error?.message ?? error)});
    }
  });
};

const WORK = {
  async load(order) {
    page = order.page;
    const names = ['runtime/ort-wasm-simd-threaded.wasm', 'model/encoder.onnx', 'model/decoder.onnx'];
    const got = {}, total = names.reduce((sum, name) => sum + page.bytes[name], 0);
    const files = await Promise.all(names.map((name) => fetched(name, (bytes) => {
      got[name] = bytes;
      postMessage({progress: Math.min(1, Object.values(got).reduce((sum, more) => sum + more, 0) / total)});
    })));
    // Threads share memory, which browsers allow a page only where its server isolates it from other sites.
    const threads = self.crossOriginIsolated ? Math.min(4, Math.max(1, navigator.hardwareConcurrency ?? 1)) : 1;
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmBinary = files[0].buffer;
    const options = {executionProviders: ['wasm']};
    encoder = await ort.InferenceSession.create(files[1], options);
    decoder = await ort.InferenceSession.create(files[2], options);
    return [{threads}];
  },

  async encode({id, role, pixels, width, height}) {
    const small = fit(pixels, width, height);
    const start = performance.now();
    const {structure, texture} = await encoder.run({images: padded(small)});
    codes.set(id, {role, structure, texture, width: small.width, height: small.height});
    return [{...small, milliseconds: performance.now() - start}, [small.pixels.buffer]];
  },

  // `of`: by role, the order that encoded the photograph shown; a later one may not be shown, and older ones are no more.
  async decode({alpha, of}) {
    for (const [id, {role}] of [...codes]) if (id < of[role]) codes.delete(id);
    const {structure, texture: own, width, height} = codes.get(of.structure), other = codes.get(of.texture).texture;
    const start = performance.now();
    const mixed = own.data.map((value, k) => value + alpha * (other.data[k] - value));
    const texture = new ort.Tensor('float32', mixed, own.dims);
    const {images} = await decoder.run({structure, texture});
    const milliseconds = performance.now() - start;
    const pixels = cropped(images, width, height);
    return [{pixels, width, height, alpha, milliseconds}, [pixels.buffer]];
  },
};

async function fetched(name, progress) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name} is missing from this page (${response.status})`);
  // Sized by what the page was built with: a server that compresses does not say how much will come.
  const parts = [], reader = response.body.getReader();
  let bytes = 0;
  for (let part; !(part = await reader.read()).done;) {
    parts.push(part.value);
    bytes += part.value.length;
    progress(bytes);
  }
  if (bytes !== page.bytes[name]) throw new Error(`${name} came incomplete: load the page again`);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// As swapae.pictures.images.fit: the short side to the model's size by Lanczos, in 8 bits, then mirrored at the right and the
// bottom up to whole cells. Pillow's arithmetic, so that the page and the package give the model the same pixels.
function fit(pixels, width, height) {
  const short = Math.min(width, height), long = Math.max(width, height), size = page.image_size;
  const other = Math.floor((2 * long * size + short) / (2 * short));
  const [w, h] = width <= height ? [size, other] : [other, size];
  return {pixels: resized(resized(pixels, width, height, w, false), w, height, h, true), width: w, height: h};
}

// RGBA of one side brought to `to`: rows (width -> to), or columns where `vertical` (height -> to).
function resized(from, width, height, to, vertical) {
  const side = vertical ? height : width;
  if (to === side) return from;
  const scale = side / to, support = 3 * Math.max(1, scale);
  const lanczos = (x) => x === 0 ? 1 : Math.abs(x) >= 3 ? 0
    : 3 * Math.sin(Math.PI * x) * Math.sin(Math.PI * x / 3) / (Math.PI * x) ** 2;
  const result = new Uint8ClampedArray(4 * to * (vertical ? width : height));
  const step = vertical ? 4 * width : 4, lines = vertical ? width : height;
  for (let k = 0; k < to; k++) {
    const centre = (k + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5)), end = Math.min(side, Math.floor(centre + support + 0.5));
    const weights = Float64Array.from({length: end - first}, (_, n) => lanczos((first + n - centre + 0.5) / Math.max(1, scale)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let line = 0; line < lines; line++) {
      const source = (vertical ? 4 * line : 4 * width * line) + first * step;
      const target = vertical ? 4 * (width * k + line) : 4 * (to * line + k);
      let red = 0, green = 0, blue = 0;
      for (let n = 0, at = source; n < weights.length; n++, at += step) {
        red += weights[n] * from[at];
        green += weights[n] * from[at + 1];
        blue += weights[n] * from[at + 2];
      }
      result[target] = red / sum;
      result[target + 1] = green / sum;
      result[target + 2] = blue / sum;
      result[target + 3] = 255;
    }
  }
  return result;
}

function padded({pixels, width, height}) {
  const whole = (side) => Math.ceil(side / page.stride) * page.stride, [w, h] = [whole(width), whole(height)];
  const mirrored = (k, side) => (k %= 2 * side) < side ? k : 2 * side - 1 - k;
  const values = new Float32Array(3 * w * h);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const at = 4 * (width * mirrored(y, height) + mirrored(x, width));
      for (let c = 0; c < 3; c++) values[(c * h + y) * w + x] = pixels[at + c] / 127.5 - 1;
    }
  return new ort.Tensor('float32', values, [1, 3, h, w]);
}

function cropped({data, dims: [, , h, w]}, width, height) {
  const pixels = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = 4 * (width * y + x);
      for (let c = 0; c < 3; c++) pixels[at + c] = 127.5 * (data[(c * h + y) * w + x] + 1);
      pixels[at + 3] = 255;
    }
  return pixels;
}
