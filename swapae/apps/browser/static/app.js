// The page: takes photographs, asks the worker for codes and hybrids, shows what comes back. All text is set as text.
'use strict';

const MOST_PIXELS = 16e6;  // of a canvas; phones refuse larger ones, so the browser shrinks such photographs first
const get = (id) => document.getElementById(id);
const ROLES = ['structure', 'texture'];

let page, worker, threads = 1, nextId = 0, ready = false;
const waiting = new Map();  // answers by the number of the question
const shown = {};  // by role: the photograph as the model sees it, {id, pixels, width, height}; id: of its encoding
const latest = {structure: 0, texture: 0};  // by role: the choice that counts, of those still under way
let busy = false, again = false, hybrid;

function ask(work, transfer = []) {
  return new Promise((resolve, reject) => {
    waiting.set(++nextId, {resolve, reject});
    worker.postMessage({id: nextId, ...work}, transfer);
  });
}

function answered({data}) {
  if ('progress' in data) {
    get('progress').value = data.progress;
    return;
  }
  const {resolve, reject} = waiting.get(data.id);
  waiting.delete(data.id);
  if ('problem' in data) reject(new Error(data.problem));
  else resolve(data);
}

function fail(sentence) {
  get('failure').textContent = sentence;
  get('loading').hidden = true;
}

// ---------------------------------------------------------------- photographs

class Refused extends Error {}

async function read(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Refused('This browser cannot read it as a picture: choose a JPEG, PNG or WebP.');
  }
  const long = Math.max(bitmap.width, bitmap.height), short = Math.min(bitmap.width, bitmap.height);
  if (long > page.most_elongated * short)
    throw new Refused(`It is over ${page.most_elongated} times as long as wide: crop it first.`);
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.floor(scale * bitmap.width));
  canvas.height = Math.max(1, Math.floor(scale * bitmap.height));
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.fillStyle = '#ffffff';  // behind what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// Make a photograph the structure or the texture; what was chosen later meanwhile wins.
async function choose(role, blob, name) {
  const mine = ++latest[role], problem = get(`${role}-problem`);
  problem.textContent = '';
  mark(role, name);
  get('status').textContent = `Encoding the ${role} photograph`;
  try {
    const {data, width, height} = await read(await blob);
    if (mine !== latest[role]) return;
    const fitted = await ask({do: 'encode', role, pixels: data, width, height}, [data.buffer]);
    if (mine !== latest[role]) return;
    shown[role] = {...fitted, name};
    paint(document.querySelector(`#${role} canvas`), fitted);
    if (role === 'structure') paint(get('before'), fitted);
  } catch (error) {
    if (mine !== latest[role]) return;
    mark(role, shown[role]?.name);
    const kept = shown[role] ? ' The one from before is kept.' : '';
    problem.textContent = error instanceof Refused ? error.message + kept
      : `It cannot be encoded (${error.message}): try a smaller one.${kept}`;
    if (hybrid) report();
    return;
  }
  update();
}

function mark(role, name) {
  for (const button of document.querySelectorAll(`#${role} .examples button`))
    button.setAttribute('aria-pressed', String(button.dataset.file === name));
}

function paint(canvas, {pixels, width, height}) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d').putImageData(new ImageData(pixels, width, height), 0, 0);
}

const example = (file) => fetch(`examples/${file}`).then((response) => {
  if (!response.ok) throw new Refused('The example is missing from this page.');
  return response.blob();
});

// ---------------------------------------------------------------- the hybrid

// Decode with the slider where it is; while one decoding runs, only the newest place waits.
async function update() {
  get('percent').textContent = `${Math.round(100 * get('alpha').value)} %`;
  if (!ready || !shown.structure || !shown.texture) return;
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  do {
    again = false;
    try {
      const of = Object.fromEntries(ROLES.map((role) => [role, shown[role].id]));
      hybrid = await ask({do: 'decode', alpha: Number(get('alpha').value), of});
      paint(get('result'), hybrid);
      get('picture').style.setProperty('--ratio', hybrid.width / hybrid.height);
      get('failure').textContent = '';
      report();
    } catch (error) {
      fail(`The hybrid cannot be made (${error.message}): try smaller photographs, or load the page again.`);
    }
  } while (again);
  busy = false;
}

function report() {
  const encoded = ROLES.map((role) => `${role} ${Math.round(shown[role].milliseconds)} ms`).join(', ');
  const many = threads === 1 ? 'one thread' : `${threads} threads`;
  get('status').textContent = `${hybrid.width} x ${hybrid.height} pixels; decoded in ${Math.round(hybrid.milliseconds)} ms `
    + `(encoded: ${encoded}), ${many}`;
  get('output').dataset.alpha = hybrid.alpha;
  for (const id of ['download', 'exchange']) get(id).disabled = false;
}

function exchange() {
  const pictures = Object.fromEntries(ROLES.map((role) => [role, shown[role]]));
  for (const [role, other] of [ROLES, [...ROLES].reverse()]) {
    const {pixels, width, height, name} = pictures[other], canvas = document.createElement('canvas');
    paint(canvas, {pixels, width, height});
    choose(role, new Promise((resolve) => canvas.toBlob(resolve)), name);
  }
}

// ---------------------------------------------------------------- PNG

// What a picture says of itself, as texts after a PNG's header: that it was generated, and by which model.
async function download() {
  const png = new Uint8Array(await (await new Promise((resolve) => get('result').toBlob(resolve))).arrayBuffer());
  const header = 33;  // signature and IHDR
  const texts = Object.entries(page.metadata).map(([key, text]) => chunk('tEXt', `${key}\0${text}`));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([png.slice(0, header), ...texts, png.slice(header)], {type: 'image/png'}));
  link.download = 'hybrid.png';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function chunk(type, text) {
  const body = Uint8Array.from(type + text, (letter) => letter.charCodeAt(0));
  const bytes = new Uint8Array(body.length + 8), view = new DataView(bytes.buffer);
  view.setUint32(0, body.length - 4);
  bytes.set(body, 4);
  let crc = ~0;
  for (const byte of body) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc >>> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(body.length + 4, ~crc >>> 0);
  return bytes;
}

// ---------------------------------------------------------------- the page

function listen() {
  for (const role of ROLES) {
    const drop = document.querySelector(`#${role} .drop`), input = drop.querySelector('input');
    input.addEventListener('change', () => {
      if (input.files.length) choose(role, input.files[0]);
      input.value = '';  // so that the same file can be chosen again
    });
    for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop'])
      drop.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.toggle('over', kind === 'dragenter' || kind === 'dragover');
        if (kind === 'drop' && event.dataTransfer.files.length) choose(role, event.dataTransfer.files[0]);
      });
  }
  get('alpha').addEventListener('input', update);
  get('split').addEventListener('input', () => get('before').style.setProperty('--split', `${get('split').value}%`));
  get('download').addEventListener('click', download);
  get('exchange').addEventListener('click', exchange);
}

function fill() {
  get('licence').textContent = page.licence ?? 'licence not stated';
  get('runtime').textContent = page.runtime;
  get('card').hidden = !page.card;
  for (const role of ROLES)
    for (const {file, subject, author} of page.examples) {
      const button = document.createElement('button'), image = document.createElement('img');
      button.type = 'button';
      button.dataset.file = file;
      image.src = `examples/${file}`;
      image.alt = `${subject} by ${author}`;
      button.append(image);
      button.addEventListener('click', () => choose(role, example(file), file));
      document.querySelector(`#${role} .examples`).append(button);
    }
  page.examples.forEach(({subject, author, url, licence}, k) => {
    const link = document.createElement('a');
    if (url.startsWith('https://')) link.href = url;
    link.rel = 'noreferrer';
    link.textContent = `${subject} by ${author}`;
    get('credits').append(k ? ', ' : '', link, ` (${licence})`);
  });
}

async function start() {
  if (location.protocol === 'file:')
    return fail('A browser runs this page from a web server alone: python -m http.server in its folder makes one.');
  listen();
  try {
    page = await (await fetch('page.json')).json();
  } catch {
    return fail('page.json cannot be loaded: the page is incomplete, or the connection is gone; load it again.');
  }
  fill();
  worker = new Worker('worker.js', {type: 'module'});
  worker.onmessage = answered;
  worker.onerror = () => fail('The model cannot be loaded: this browser is too old for it, or the page is incomplete.');
  try {
    ({threads} = await ask({do: 'load', page}));
  } catch (error) {
    return fail(`The model cannot be loaded (${error.message}).`);
  }
  ready = true;
  get('loading').hidden = true;
  for (const role of ROLES)
    if (!latest[role]) {
      const {file} = page.examples[page.opening[role]];
      choose(role, example(file), file);
    }
}

start();
