"""The picture: the photograph and the result laid over each other, with a handle between them to drag.

Both are held by the page itself, as data: no address by which somebody else could fetch a result, no file to delete.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from swapae.apps.page.addresses import jpeg_address, png_address
from swapae.apps.page.studio import Result

# A slider that is not seen lies over the pictures, so that the handle moves by mouse, by finger and by keys.
TEMPLATE = """
<div class="compare" style="--at: 12%">
  <img class="before" alt="The photograph, before the edits">
  <img class="after" alt="The result">
  <i class="handle" aria-hidden="true"><b></b></i>
  <span class="corner left" aria-hidden="true">Photograph</span>
  <span class="corner right" aria-hidden="true">Result</span>
  <input type="range" min="0" max="100" value="12" step="1"
    aria-label="Compare: how much of the photograph is shown, in per cent">
  <button type="button" class="full" aria-label="Full screen" title="Full screen">
    <svg viewBox="0 0 24 24" width="18" fill="none" stroke="currentColor" stroke-width="2.5" aria-hidden="true">
    <path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></svg></button>
</div>
"""
SCRIPT = """
const frame = element.querySelector('.compare'), slider = frame.querySelector('input');
const [before, after] = frame.querySelectorAll('img');
const move = () => {
  frame.style.setProperty('--at', `${slider.value}%`);
  frame.querySelector('.left').hidden = slider.value < 20;
  frame.querySelector('.right').hidden = slider.value > 80;
  slider.setAttribute('aria-valuetext', `${slider.value} per cent photograph`);
};
slider.addEventListener('input', move);
frame.querySelector('.full').addEventListener('click', () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else frame.requestFullscreen?.();
});
const show = () => {
  if (!props.value) return;
  const {before: photograph, after: result, width, height} = props.value;
  if (before.src !== photograph) before.src = photograph;
  if (after.src !== result) after.src = result;
  frame.style.setProperty('--shape', width / height);
};
watch('value', show);
show();
move();
"""


def compare(value: dict[str, Any] | None) -> gr.HTML:
    """The picture, opening with a value of `compared`."""
    return gr.HTML(value, html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False, elem_id="result")


def compared(result: Result) -> dict[str, Any]:
    """The value that shows a result."""
    width, height = result.image.size
    return {
        "before": jpeg_address(result.before, 92),
        "after": png_address(result.image),
        "width": width,
        "height": height,
    }
