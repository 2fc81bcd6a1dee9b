"""The dragger: points of the photograph pulled elsewhere, on the photograph itself, and a brush for what stays.

Every point is a knob at its target that the keyboard reaches, and a line back to where it came from. While a point is
pulled, one request at most is on its way to the server: what came meanwhile is sent once that one is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from swapae.apps.page.drawing import BRUSH, canvas_html
from swapae.apps.page.painter import fine_grid
from swapae.apps.page.settings import MAX_DRAGGED, SETTINGS

TEMPLATE = (
    '<div class="board"><canvas tabindex="0" role="img" aria-label="The photograph to drag points of. Press on a point '
    'and pull it to where it shall go. Arrow keys move a mark, space puts a point there."></canvas>'
    '<div class="knobs" role="group" aria-label="Points"></div></div>'
    '<p class="quiet remark" role="status"></p>'
    '<div class="row taken" role="group" aria-label="Remove points"></div>'
    '<div class="row"><label><input type="checkbox" name="brushing"> Paint what stays</label>'
    '<label class="brush" hidden>Brush <input type="range" name="size" min="0" max="8" value="3"></label>'
    '<label class="brush" hidden><input type="checkbox" name="erase"> Erase</label>'
    '<button type="button" class="brush" hidden data-do="clear">Clear</button></div>'
)
SCRIPT = """
const NEAR = 22, PATIENCE = 15000;  // pixels of the screen; milliseconds
const board = element.querySelector('.board'), knobs = element.querySelector('.knobs');
const taken = element.querySelector('.taken'), remark = element.querySelector('.remark');
const field = (name) => element.querySelector(`[name=${name}]`);
// What is beneath: the value's photograph, which answers are without.
let sheet = null;
const grid = () => sheet?.grid ?? [1, 1], share = () => sheet?.share ?? [1, 1];
// Points as [x, y, to x, to y], from 0 to 1 on the photograph; what is pulled, as [point, 0: origin or 2: target].
let points = [], still = null, cursor = null, pulled = null, press = 0;
// The number of the last request, that of the last answer, whether something newer waits, and since when.
let asked = 0, answered = 0, waiting = null, patience = null;
const brushing = () => field('brushing').checked;
const on_photo = (there) => there.map((at, axis) => clamp(at / share()[axis], 0, 1));
const on_paper = (point, from) => [0, 1].map((axis) => point[from + axis] * share()[axis]);
const percent = (at) => Math.round(100 * at);
const words = ([x, y, to_x, to_y], number) => x === to_x && y === to_y
  ? `Point ${number + 1}, held at ${percent(x)}, ${percent(y)}`
  : `Point ${number + 1}, from ${percent(x)}, ${percent(y)} to ${percent(to_x)}, ${percent(to_y)}`;
const draw = () => {
  if (!sheet) return;
  const paper = canvas(), [pen, side] = lay(paper, sheet);
  if (still) tint(pen, still, grid()[1], side, '#22c55e');
  const at = (point, from) => on_paper(point, from).map((value, axis) => value * [paper.width, paper.height][axis]);
  const line = (width, colour) => points.forEach((point) => {
    pen.lineWidth = width;
    pen.strokeStyle = colour;
    pen.beginPath();
    pen.moveTo(...at(point, 0));
    pen.lineTo(...at(point, 2));
    pen.stroke();
    pen.beginPath();
    pen.arc(...at(point, 0), 4, 0, 7);
    pen.stroke();
  });
  line(4, '#000b');
  line(2, '#fff');
  if (cursor) {
    const radius = brushing() ? (Number(field('size').value) + 0.5) * side : 9;
    const [x, y] = brushing() ? cell_at(cursor, grid()).map((one) => (one + 0.5) * side)
      : [cursor[0] * paper.width, cursor[1] * paper.height];
    for (const [width, colour] of [[4, '#000b'], [2, '#fff']]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.stroke();
    }
  }
  place_knobs();
};
// As many knobs and crosses as points; those that are there stay, and keep the focus.
const place_knobs = () => {
  const fill = (parent, make) => {
    while (parent.children.length > points.length) parent.lastChild.remove();
    while (parent.children.length < points.length) parent.append(make(parent.children.length));
  };
  fill(knobs, (number) => Object.assign(document.createElement('button'),
    {type: 'button', className: 'knob', textContent: number + 1}));
  fill(taken, (number) => {
    const cross = Object.assign(document.createElement('button'), {type: 'button'});
    cross.textContent = `${number + 1} \\u2715`;
    cross.setAttribute('aria-label', `Remove point ${number + 1}`);
    cross.dataset.point = number;
    return cross;
  });
  points.forEach((point, number) => {
    const [x, y] = on_paper(point, 2), knob = knobs.children[number];
    knob.style.left = `${100 * x}%`;
    knob.style.top = `${100 * y}%`;
    const name = `${words(point, number)}. Arrow keys move it, Delete removes it.`;
    if (knob.getAttribute('aria-label') !== name) knob.setAttribute('aria-label', name);
  });
};
const say = (sentence) => { remark.textContent = sentence; };
const send = (did) => {
  if (waiting === null || did) waiting = did;
  if (asked !== answered) return;
  post();
};
const post = () => {
  const mask = still && still.some((level) => level) ? packed(still, grid()) : null;
  clearTimeout(patience);
  // An answer that never comes, of a server that is gone or a queue that is full, holds up nothing for long.
  patience = setTimeout(go_on, PATIENCE);
  board.setAttribute('aria-busy', true);
  trigger('click', {points, still: mask, did: waiting, press, number: ++asked});
  waiting = null;
};
const go_on = () => {
  answered = asked;
  clearTimeout(patience);
  if (waiting !== null) post();
  else board.setAttribute('aria-busy', false);
};
const nearest = (there) => {
  const frame = canvas().getBoundingClientRect();
  let best = null, least = NEAR;
  for (const from of [2, 0])
    points.forEach((point, number) => {
      const [x, y] = on_paper(point, from);
      const far = Math.hypot((x - there[0]) * frame.width, (y - there[1]) * frame.height);
      if (far < least - (from ? 0 : 6)) [best, least] = [[number, from], far];
    });
  return best;
};
const add = (there) => {
  if (points.length >= props.most) return say(`There are ${props.most} points, and no more can be.`), false;
  const [x, y] = on_photo(there);
  points.push([x, y, x, y]);
  return true;
};
const paint = (there, from = there) => {
  const [rows, columns] = grid();
  still ??= new Uint8Array(rows * columns);
  const size = Number(field('size').value) + 0.5, level = field('erase').checked ? 0 : 255;
  sweep(still, grid(), cell_at(from, grid()), cell_at(there, grid()), size, level);
};
const named = (number) => `Point ${number + 1}`;
follow(
  (start) => {
    say('');
    press = Date.now();
    cursor = brushing() ? start : null;
    if (brushing()) { paint(start); draw(); return true; }
    pulled = nearest(start) ?? (add(start) ? [points.length - 1, 2] : null);
    draw();
    if (pulled) knobs.children[pulled[0]].focus({preventScroll: true});
    return Boolean(pulled);
  },
  (there) => {
    if (brushing()) { if (held) paint(there, cursor ?? there); cursor = there; return draw(); }
    if (!held || !pulled) return;
    points[pulled[0]].splice(pulled[1], 2, ...on_photo(there));
    draw();
    send(named(pulled[0]));
  },
  () => {
    send(brushing() ? 'What stays' : named(pulled[0]));
    pulled = null;
    press = 0;
  });
element.addEventListener('pointerleave', () => { if (brushing() && !held) { cursor = null; draw(); } }, true);
const STEP = 0.01;
arrows((step, fast) => {
  cursor = (cursor ?? [0.5, 0.5]).map((at, axis) => clamp(at + (fast ? 5 : 2) * STEP * step[axis], 0, share()[axis]));
  draw();
});
on_key((event) => {
  if (event.key !== ' ') return false;
  cursor ??= [0.5, 0.5];
  if (brushing()) paint(cursor);
  else if (!add(cursor)) return true;
  draw();
  if (!brushing()) knobs.lastChild.focus();
  send(brushing() ? 'What stays' : named(points.length - 1));
  return true;
});
const remove = (number) => {
  points.splice(number, 1);
  draw();
  send(`Without point ${number + 1}`);
};
element.addEventListener('keydown', (event) => {
  const number = [...knobs.children].indexOf(event.target);
  if (number < 0) return;
  const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  if (step) {
    const far = (event.shiftKey ? 5 : 1) * STEP;
    for (const axis of [0, 1]) points[number][2 + axis] = clamp(points[number][2 + axis] + far * step[axis], 0, 1);
    draw();
    send(named(number));
  } else if (event.key === 'Delete' || event.key === 'Backspace') {
    remove(number);
    (knobs.children[Math.min(number, points.length - 1)] ?? canvas()).focus();
  } else return;
  event.preventDefault();
});
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button?.dataset.point !== undefined) {
    const number = Number(button.dataset.point);
    remove(number);
    (taken.children[Math.min(number, points.length - 1)] ?? canvas()).focus();
  }
  if (button?.dataset.do === 'clear') {
    still = null;
    draw();
    send('What stays');
  }
});
field('brushing').addEventListener('change', () => {
  for (const one of element.querySelectorAll('.brush')) one.hidden = !brushing();
  cursor = null;
  draw();
});
const show = () => {
  if (!props.value) return;
  const {answer, points: given, still: mask} = props.value;
  if (answer) {  // what is shown here is newer than what it is of
    if (answer === asked) go_on();
    return;
  }
  sheet = props.value;
  if (!held) {
    points = given.map((point) => [...point]);
    still = null;
    if (mask) unpacked(mask, still = new Uint8Array(mask.height * mask.width));
  }
  load(sheet.photo, draw);
};
watch('value', show);
show();
"""


def dragger() -> gr.HTML:
    """The dragger, empty; a click event carries `points`, `still`, `did`, `press` and `number`."""
    return canvas_html(TEMPLATE, BRUSH + SCRIPT, "dragger", most=MAX_DRAGGED)


def on_dragger(shown: Mapping[str, Any], grid: tuple[int, int], values: Mapping[str, Any]) -> dict[str, Any]:
    """The dragger's value: a photograph, its grid, its points and what is not dragged.

    Args:
        shown: the photograph, of `swapae.apps.page.addresses.canvas_photo`.
        grid: (rows, columns) of its structure.
        values: the settings; a mask of another grid is dropped.
    """
    rows, columns = fine_grid(grid)
    still = values["still"]
    if still and (still["height"], still["width"]) != (rows, columns):
        still = None
    return {**shown, "grid": [rows, columns], "points": values["points"], "still": still}


def points_of(event: gr.EventData) -> dict[str, Any]:
    """The settings that an event of the dragger makes.

    Raises:
        UserError: it comes from the browser, and so may be anything.
    """
    checked = {
        name: SETTINGS[name].check(SETTINGS[name].label, getattr(event, name, None)) for name in ("points", "still")
    }
    still = checked["still"]
    return {"points": [list(point) for point in checked["points"]], "still": still and still.to_dict()}
