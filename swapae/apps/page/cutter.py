"""The cutter: the piece of a structure that is copied or moved, drawn as a box on the photograph itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from swapae.editing.validation import number, several
from swapae.errors import UserError

# The settings that a box is made of, in its order.
EDGES = ("left", "top", "width", "height")
TEMPLATE = (
    '<canvas tabindex="0" role="img" aria-label="The photograph to take a piece from. Drag a box around it; arrow keys '
    'move the box, with Shift they change its size."></canvas>'
)
SCRIPT = """
let box = [30, 30, 40, 40], photo = null, corner = null;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const draw = () => {
  const canvas = element.querySelector('canvas');
  if (!photo || !photo.naturalWidth) return;
  canvas.width = 384;
  canvas.height = Math.round(384 * photo.naturalHeight / photo.naturalWidth);
  const pen = canvas.getContext('2d'), {width, height} = canvas;
  const [x, y, w, h] = [box[0] * width, box[1] * height, box[2] * width, box[3] * height].map((side) => side / 100);
  pen.drawImage(photo, 0, 0, width, height);
  pen.fillStyle = '#000a';
  pen.fillRect(0, 0, width, y);
  pen.fillRect(0, y + h, width, height);
  pen.fillRect(0, y, x, h);
  pen.fillRect(x + w, y, width, h);
  pen.strokeStyle = '#fff';
  pen.lineWidth = 2;
  pen.strokeRect(x, y, w, h);
};
const send = () => trigger('click', {box: box.map(Math.round)});
const place = (event) => {
  const frame = element.querySelector('canvas').getBoundingClientRect();
  return [clamp((event.clientX - frame.left) / frame.width * 100, 0, 100),
          clamp((event.clientY - frame.top) / frame.height * 100, 0, 100)];
};
element.addEventListener('pointerdown', (event) => {
  if (event.target.tagName !== 'CANVAS') return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  corner = place(event);
});
element.addEventListener('pointermove', (event) => {
  if (!corner) return;
  const [x, y] = place(event);
  box = [Math.min(x, corner[0]), Math.min(y, corner[1]),
         Math.max(3, Math.abs(x - corner[0])), Math.max(3, Math.abs(y - corner[1]))];
  draw();
});
for (const name of ['pointerup', 'pointercancel'])
  element.addEventListener(name, () => { if (corner) { corner = null; send(); } });
element.addEventListener('keydown', (event) => {
  const steps = {ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2]}, step = steps[event.key];
  if (event.target.tagName !== 'CANVAS' || !step) return;
  event.preventDefault();
  for (const axis of [0, 1])
    if (event.shiftKey) box[axis + 2] = clamp(box[axis + 2] + step[axis], 3, 100 - box[axis]);
    else box[axis] = clamp(box[axis] + step[axis], 0, 100 - box[axis + 2]);
  draw();
  send();
});
// The sliders beside it say the same in numbers.
document.addEventListener('input', (event) => {
  const number = props.edges.indexOf(event.target.closest('.block')?.id);
  if (number < 0) return;
  box[number] = Number(event.target.value);
  draw();
}, true);
const show = () => {
  if (!props.value) return;
  box = [...props.value.box];
  if (photo?.src === props.value.photo) return draw();
  photo = new Image();
  photo.onload = draw;
  photo.src = props.value.photo;
};
watch('value', show);
show();
"""


def cutter() -> gr.HTML:
    """The cutter, empty; a click event carries `box`."""
    return gr.HTML(
        None,
        html_template=TEMPLATE,
        js_on_load=SCRIPT,
        apply_default_css=False,
        elem_id="cutter",
        edges=list(EDGES),
    )


def on_cutter(shown: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The cutter's value: a photograph (of `addresses.canvas_photo`) and the box that settings describe."""
    return {"photo": shown["photo"], "box": [values[edge] for edge in EDGES]}


def box_of(event: gr.EventData) -> dict[str, float]:
    """The settings that a drawn box makes.

    Raises:
        UserError: it comes from the browser, and so may be anything.
    """
    box = several(number(0, 100), len(EDGES), len(EDGES))("The box", getattr(event, "box", None))
    if not box[2] or not box[3]:
        raise UserError("the box is empty: draw a larger one")
    return dict(zip(EDGES, box, strict=True))
