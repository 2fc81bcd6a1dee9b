"""The slots of the photographs: places to drop, choose or paste one, with what is wrong with it beside it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from swapae.apps.page.addresses import slot_picture
from swapae.apps.page.parts import MAX_FILE_SIZE, SAY
from swapae.apps.page.settings import ROLES
from swapae.apps.page.style import on
from swapae.errors import UserError

# What each slot is called, and the small word of the paper for it.
NAMES = {
    "structure": ("1", "Shape from", "structure"),
    "texture": ("2", "Look from", "texture"),
    **{role: (str(number), "Look", "texture") for number, role in enumerate(ROLES[2:], 3)},
}
ORDINALS = dict(zip(ROLES, ("first", "second", *ROLES[2:]), strict=True))
TEMPLATE = """
<div class="slot-head"><b>${number}</b> <span>${words}</span> <small>${small}</small></div>
<label class="drop">
  <input type="file" accept="image/*,.heic,.heif,.hif,.avif,.jxl" aria-label="Choose the ${ordinal} photograph">
  <span class="ask">Drop a photograph <wbr>or <u>choose one</u></span>
</label>
<button type="button" class="remove" aria-label="Remove the ${ordinal} photograph" title="Remove">&#x2715;</button>
<div id="${role}-problem" class="note"></div>
"""
# A file that cannot be a picture, or is too large, is never sent. What was sent the browser keeps as well, so that the
# visit can go on once the server was started anew.
SCRIPT = """
const frame = element.querySelector('.drop'), input = frame.querySelector('input');
const note = element.querySelector('.note'), NAMES = /\\.(heic|heif|hif|avif|jxl|tiff?|bmp|webp|png|jpe?g|gif)$/i;
const remark = (sentence) => {
  say('');
  if (sentence) note.append(Object.assign(document.createElement('p'), {className: 'quiet', textContent: sentence}));
};
const take = async (file) => {
  if (!file) return;
  if (!file.type.startsWith('image/') && !NAMES.test(file.name))
    return say('This file is not a picture that can be read here: save it as PNG or JPEG first.');
  if (file.size > props.limit)
    return say(`This picture has over ${Math.round(props.limit / 2 ** 20)} MB: make it smaller first.`);
  say('');
  element.classList.add('sending');
  try {
    const {path} = await upload(file);
    window.swapae?.keep(path, file);
    trigger('upload', {path});
  } catch {
    say('The photograph could not be sent: try again in a moment.');
  } finally {
    element.classList.remove('sending');
  }
};
input.addEventListener('change', () => { take(input.files[0]); input.value = ''; });
frame.addEventListener('dragover', (event) => { event.preventDefault(); frame.classList.add('over'); });
frame.addEventListener('dragleave', () => frame.classList.remove('over'));
frame.addEventListener('drop', (event) => {
  event.preventDefault();
  frame.classList.remove('over');
  take(event.dataTransfer.files[0]);
});
element.addEventListener('paste', (event) => {
  if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
});
element.querySelector('.remove').addEventListener('click', () => { trigger('clear', {}); input.focus(); });
const show = () => {
  const {preview = '', problem = '', remark: words = ''} = props.value || {};
  let image = frame.querySelector('img');
  if (!preview) image?.remove();
  else {
    if (!image) {
      image = Object.assign(document.createElement('img'), {alt: `The ${props.ordinal} photograph`});
      frame.append(image);
    }
    if (image.src !== preview) image.src = preview;
  }
  if (problem) say(problem);
  else remark(words);
};
watch('value', show);
show();
"""


def slot(role: str, value: dict[str, Any]) -> gr.HTML:
    """A slot with a value of `filled`.

    Those after the second are there on the tabs that take them, of the empty ones only the first.
    """
    number, words, small = NAMES[role]
    further = [] if role in ROLES[:2] else [*on("mix", "regions", "structure", "motion"), "further"]
    return gr.HTML(
        value,
        html_template=TEMPLATE,
        js_on_load=SAY + SCRIPT,
        apply_default_css=False,
        elem_id=role,
        elem_classes=["slot", *further],
        role=role,
        number=number,
        words=words,
        small=small,
        ordinal=ORDINALS[role],
        limit=MAX_FILE_SIZE,
    )


def filled(preview: Any = None, problem: str = "", remark: str = "") -> dict[str, Any]:
    """The value of a slot: a picture of what is in it, what is wrong with what was dropped, or a quiet remark."""
    # With a number of its own, so that the browser also notices a sentence that it is told again.
    told = time.monotonic_ns()
    return {"preview": slot_picture(preview) if preview else "", "problem": problem, "remark": remark, "told": told}


def uploaded(path: object) -> str:
    """The path of an upload, which comes from the browser and so may be anything.

    Raises:
        UserError: no file that was uploaded here.
    """
    if isinstance(path, str) and len(path) < 4096 and "\0" not in path:
        file, folder = Path(path).resolve(), Path(get_upload_folder()).resolve()
        if file.is_relative_to(folder) and file.is_file():
            return str(file)
    raise UserError("the photograph did not arrive: choose it again")
