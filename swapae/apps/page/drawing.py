"""What the canvases share: a photograph that follows the pointer and the arrow keys, and masks brushed onto it."""

from __future__ import annotations

from typing import Any

import gradio as gr

# Masks are levels from 0 to 255, a byte for each cell of a grid [rows, columns], row by row.
BRUSH = """
const cell_at = ([across, along], [rows, columns]) =>
  [Math.min(columns - 1, Math.floor(across * columns)), Math.min(rows - 1, Math.floor(along * rows))];
const stroke = (levels, [rows, columns], [column, row], size, level) => {
  for (let r = Math.max(0, Math.ceil(row - size)); r <= Math.min(rows - 1, row + size); r++)
    for (let c = Math.max(0, Math.ceil(column - size)); c <= Math.min(columns - 1, column + size); c++)
      if ((r - row) ** 2 + (c - column) ** 2 <= size * size) levels[r * columns + c] = level;
};
// From one cell to another without gaps, however far the pointer went between two of its events.
const sweep = (levels, grid, [column, row], [to_column, to_row], size, level) => {
  const steps = Math.max(1, Math.abs(to_column - column), Math.abs(to_row - row));
  for (let step = 1; step <= steps; step++)
    stroke(levels, grid, [column + Math.round((to_column - column) * step / steps),
                          row + Math.round((to_row - row) * step / steps)], size, level);
};
const tint = (pen, levels, columns, side, colour) => {
  pen.fillStyle = colour;
  levels.forEach((level, cell) => {
    if (!level) return;
    pen.globalAlpha = 0.55 * level / 255;
    pen.fillRect(cell % columns * side, Math.floor(cell / columns) * side, side, side);
  });
  pen.globalAlpha = 1;
};
const packed = (levels, [height, width]) => {
  const runs = [];
  levels.forEach((level) => {
    if (runs.length && runs[runs.length - 2] === level) runs[runs.length - 1]++;
    else runs.push(level, 1);
  });
  return {height, width, runs};
};
const unpacked = ({runs}, levels) => {
  let cell = 0;
  for (let run = 0; run < runs.length; run += 2) {
    levels.fill(runs[run], cell, cell + runs[run + 1]);
    cell += runs[run + 1];
  }
};
// A photograph on the paper of a grid, which may go beyond it: a whole number of pixels to a cell.
const lay = (paper, {grid: [rows, columns], share}) => {
  const side = Math.ceil(384 / columns);
  paper.width = columns * side;
  paper.height = rows * side;
  const pen = paper.getContext('2d');
  if (photo) pen.drawImage(photo, 0, 0, photo.naturalWidth, photo.naturalHeight, 0, 0,
    paper.width * share[0], paper.height * share[1]);
  return [pen, side];
};
"""
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
