"""The cutter: the piece of a structure that is copied or moved, drawn as a box on the photograph itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from swapae.apps.page.drawing import canvas_html
from swapae.editing.validation import number, several
from swapae.errors import UserError

# The settings that a box is made of, in its order.
EDGES = ("left", "top", "width", "height")
TEMPLATE = (
    '<canvas tabindex="0" role="img" aria-label="The photograph to take a piece from. Drag a box around it; arrow keys '
    'move the box, with Shift they change its size."></canvas>'
)
SCRIPT = """
let box = [30, 30, 40, 40], corner = null;
const draw = () => {
  const paper = canvas();
  if (!photo || !photo.naturalWidth) return;
  paper.width = 384;
  paper.height = Math.round(384 * photo.naturalHeight / photo.naturalWidth);
  const pen = paper.getContext('2d'), {width, height} = paper;
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
const percent = (there) => there.map((share) => 100 * share);
follow(
  (start) => { corner = percent(start); return true; },
  (there) => {
    if (!held) return;
    const [x, y] = percent(there);
    box = [Math.min(x, corner[0]), Math.min(y, corner[1]),
           Math.max(3, Math.abs(x - corner[0])), Math.max(3, Math.abs(y - corner[1]))];
    draw();
  },
  send);
arrows((step, resize) => {
  for (const axis of [0, 1])
    if (resize) box[axis + 2] = clamp(box[axis + 2] + 2 * step[axis], 3, 100 - box[axis]);
    else box[axis] = clamp(box[axis] + 2 * step[axis], 0, 100 - box[axis + 2]);
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
  load(props.value.photo, draw);
};
watch('value', show);
show();
"""


def cutter() -> gr.HTML:
    """The cutter, empty; a click event carries `box`."""
    return canvas_html(TEMPLATE, SCRIPT, "cutter", edges=list(EDGES))


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
