"""The painter: regions brushed onto the photograph itself, as a tint, and sent to the server as small masks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from swapae.apps.page.drawing import BRUSH, canvas_html
from swapae.apps.page.settings import FURTHER
from swapae.editing.validation import MAX_MASK_SIDE, Mask

# Cells of the painter to a side of a structure's cell: edges a little finer than the codes.
FINENESS = 2

# What each brush is called, and the colour of its tint.
BRUSHES = {
    **{
        role: (f"Look of {number}", tint)
        for number, (role, tint) in enumerate(
            zip(FURTHER, ("#f59e0b", "#3b82f6", "#14b8a6", "#84cc16", "#f43f5e", "#8b5cf6"), strict=True), 3
        )
    },
    "texture": ("Look of 2", "#ec4899"),
    "own": ("Its own look", "#ffffff"),
    "protect": ("Keep the photograph", "#22c55e"),
    "directions": ("Directions only here", "#a855f7"),
}
TEMPLATE = (
    '<canvas tabindex="0" role="img" aria-label="The photograph to paint on. Arrow keys move the brush, space paints."'
    '></canvas><fieldset class="brushes"><legend>Paint</legend>'
    + "".join(
        f'<label class="brush-{layer}"><input type="radio" name="brush" value="{layer}"'
        f'{" checked" if layer == "third" else ""}><i style="background: {tint}"></i>{words}</label>'
        for layer, (words, tint) in BRUSHES.items()
    )
    + '</fieldset><div class="row"><label>Brush <input type="range" name="size" min="0" max="8" value="2"></label>'
    '<label><input type="checkbox" name="erase"> Erase</label></div>'
    '<div class="row"><label><input type="checkbox" name="pick"> Select similar by a click</label>'
    '<label>Likeness <input type="range" name="likeness" min="0" max="1" step="0.01" value="0.9"></label></div>'
    '<div class="row"><button type="button" data-do="invert">Invert</button>'
    '<button type="button" data-do="clear">Clear</button>'
    '<button type="button" data-do="clear all">Clear all</button></div>'
)
COLOURS = f"const colours = {json.dumps({layer: tint for layer, (_, tint) in BRUSHES.items()})};"
SCRIPT = """
let masks = {}, cursor = null, sent = '';
const field = (name) => element.querySelector(`[name=${name}]`);
const layer = () => element.querySelector('[name=brush]:checked').value;
const grid = () => (props.value && props.value.grid) || [1, 1];
const mask = (name) => masks[name] ??= new Uint8Array(grid()[0] * grid()[1]);
const draw = () => {
  if (!props.value) return;
  const [pen, side] = lay(canvas(), props.value);
  for (const [name, levels] of Object.entries(masks)) tint(pen, levels, grid()[1], side, colours[name]);
  if (cursor) {
    pen.lineWidth = 2;
    pen.strokeStyle = colours[layer()];
    pen.beginPath();
    pen.arc((cursor[0] + 0.5) * side, (cursor[1] + 0.5) * side, (Number(field('size').value) + 0.5) * side, 0, 7);
    pen.stroke();
  }
};
const brush = (column, row, from = [column, row]) => {
  const size = Number(field('size').value) + 0.5;
  sweep(mask(layer()), grid(), from, [column, row], size, field('erase').checked ? 0 : 255);
  draw();
};
const send = (did = 'Brush') => {
  const paint = {};
  for (const [name, levels] of Object.entries(masks))
    if (levels.some((level) => level)) paint[name] = packed(levels, grid());
  const text = JSON.stringify(paint);
  if (text !== sent) trigger('click', {paint, did});
  sent = text;
};
const cell = (there) => cell_at(there, grid());
const act = (column, row) => {
  const [rows, columns] = grid();
  if (!field('pick').checked) return brush(column, row);
  trigger('click', {across: (column + 0.5) / columns, along: (row + 0.5) / rows, layer: layer(),
                    likeness: Number(field('likeness').value)});
};
follow(
  (start) => { cursor = cell(start); act(...cursor); return !field('pick').checked; },
  (there) => { const before = cursor; cursor = cell(there); if (held) brush(...cursor, before); else draw(); },
  () => send());
const at_cursor = () => cursor ??= [Math.floor(grid()[1] / 2), Math.floor(grid()[0] / 2)];
arrows(([right, down]) => {
  const [rows, columns] = grid(), [column, row] = at_cursor();
  cursor = [clamp(column + right, 0, columns - 1), clamp(row + down, 0, rows - 1)];
  draw();
});
on_key((event) => {
  if (event.key !== ' ') return false;
  act(...at_cursor());
  if (!field('pick').checked) send();
  return true;
});
element.addEventListener('click', (event) => {
  const what = event.target.closest('button')?.dataset.do;
  if (!what) return;
  if (what === 'invert') mask(layer()).forEach((level, cell, levels) => { levels[cell] = 255 - level; });
  if (what === 'clear') delete masks[layer()];
  if (what === 'clear all') masks = {};
  draw();
  send(event.target.closest('button').textContent);
});
const show = () => {
  if (!props.value) return;
  masks = {};
  for (const [name, plain] of Object.entries(props.value.paint)) {
    const levels = mask(name);
    if (plain.height * plain.width === levels.length) unpacked(plain, levels);
    else delete masks[name];
  }
  sent = JSON.stringify(props.value.paint);
  load(props.value.photo, draw);
};
watch('value', show);
show();
"""


def painter() -> gr.HTML:
    """The painter, empty; a click event carries either `paint` or a point to select from."""
    return canvas_html(TEMPLATE, BRUSH + COLOURS + SCRIPT, "painter")


def on_canvas(shown: Mapping[str, Any], grid: tuple[int, int], paint: Mapping[str, Any]) -> dict[str, Any]:
    """The painter's value: a photograph, its grid, and the masks painted on it.

    Args:
        shown: the photograph, of `swapae.apps.page.addresses.canvas_photo`.
        grid: (rows, columns) of its structure.
        paint: plain masks by layer; those of another grid are dropped.
    """
    rows, columns = fine_grid(grid)
    fitting = {name: mask for name, mask in paint.items() if (mask["height"], mask["width"]) == (rows, columns)}
    return {**shown, "grid": [rows, columns], "paint": fitting}


def fine_grid(grid: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of the painter's cells for a structure's grid."""
    fineness = FINENESS if FINENESS * max(grid) <= MAX_MASK_SIDE else 1
    return fineness * grid[0], fineness * grid[1]


def with_region(paint: Mapping[str, Any], layer: str, selected: Mask, grid: tuple[int, int]) -> dict[str, Any]:
    """Plain masks with a selected region added to a layer."""
    mask = selected.to_tensor()
    scale = fine_grid(grid)[0] // grid[0]
    mask = mask.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    if layer in paint:
        earlier = Mask(**{**paint[layer], "runs": tuple(paint[layer]["runs"])}).to_tensor()
        mask = mask.maximum(earlier) if earlier.shape == mask.shape else mask
    return {**paint, layer: Mask.from_tensor(mask).to_dict()}
