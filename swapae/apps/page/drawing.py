"""What the painter and the cutter share: a photograph on a canvas that follows the pointer and the arrow keys."""

from __future__ import annotations

from typing import Any

import gradio as gr

# Before a script of its own, which calls `follow`, `arrows` and `load`. Places are shares of width and height.
SHARED = """
let photo = null, held = false;
const canvas = () => element.querySelector('canvas');
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const place = (event) => {
  const frame = canvas().getBoundingClientRect();
  return [clamp((event.clientX - frame.left) / frame.width, 0, 1),
          clamp((event.clientY - frame.top) / frame.height, 0, 1)];
};
// `start` returns whether the pointer is held from there on; `end` is called where it was.
const follow = (start, move, end) => {
  element.addEventListener('pointerdown', (event) => {
    if (event.target.tagName !== 'CANVAS') return;
    event.preventDefault();
    event.target.setPointerCapture(event.pointerId);
    held = start(place(event));
  });
  element.addEventListener('pointermove', (event) => {
    if (event.target.tagName === 'CANVAS') move(place(event));
  });
  for (const name of ['pointerup', 'pointercancel'])
    element.addEventListener(name, () => { if (held) { held = false; end(); } });
};
const on_key = (press) => element.addEventListener('keydown', (event) => {
  if (event.target.tagName === 'CANVAS' && press(event)) event.preventDefault();
});
// `move` is called with the step to the right and down.
const arrows = (move) => on_key((event) => {
  const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  if (step) move(step, event.shiftKey);
  return Boolean(step);
});
const load = (address, draw) => {
  if (photo?.src === address) return draw();
  photo = new Image();
  photo.onload = draw;
  photo.src = address;
};
"""


def canvas_html(template: str, script: str, name: str, **props: Any) -> gr.HTML:
    """A component around a canvas, empty.

    Args:
        template: HTML, with one canvas.
        script: what runs once it is there, after SHARED; it sees `element`, `props`, `trigger` and `watch`.
        name: its id on the page.
        props: for the script.
    """
    return gr.HTML(
        None, html_template=template, js_on_load=SHARED + script, apply_default_css=False, elem_id=name, **props
    )
