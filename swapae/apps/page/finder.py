"""The tab Find: what to search by, and the photographs that were found, each to be used for its shape or its look."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from swapae.apps.page.parts import IMAGE_TYPES, Choice, Files

TAB = ("Find", "Photographs of this page's folder that are like yours, in material or in layout.")
MOST_FOUND = 24
TEMPLATE = '<p class="quiet told" role="status"></p><ul class="found" aria-label="Photographs found"></ul>'
# While the folder is being looked through, the browser asks now and then how far it is, as long as the tab is open.
SCRIPT = """
const list = element.querySelector('.found'), told = element.querySelector('.told');
let timer = null;
const open = () => document.getElementById('page')?.dataset.tab === 'find';
const show = () => {
  if (!props.value) return;
  const {found, words, wait, again} = props.value;
  told.textContent = words;
  if (found) list.replaceChildren(...found.map(({key, picture, similarity}, number) => {
    const item = document.createElement('li'), image = document.createElement('img');
    image.src = picture;
    image.alt = `Photograph ${number + 1}, ${similarity} % alike`;
    item.append(image);
    for (const [role, words] of [['texture', 'Use look'], ['structure', 'Use shape']]) {
      const button = Object.assign(document.createElement('button'), {type: 'button', textContent: words});
      button.title = `Use as ${role}`;
      button.setAttribute('aria-label', `${words} of photograph ${number + 1}: use as ${role}`);
      button.dataset.key = key;
      button.dataset.role = role;
      item.append(button);
    }
    return item;
  }));
  clearTimeout(timer);
  if (wait) timer = setTimeout(() => { if (open()) trigger('look', {}); }, 1500);
  else if (again && open()) trigger('search', {});
};
element.addEventListener('click', (event) => {
  const {key, role} = event.target.closest('button')?.dataset ?? {};
  if (key) trigger('click', {key, role});
});
watch('value', show);
show();
"""


class Finder(NamedTuple):
    """The components of the tab: what is to be alike, to which photograph, another one; to search; what was found."""

    by: Choice
    like: Choice
    other: Files
    search: gr.Button
    found: gr.HTML


def finder() -> Finder:
    """The components, to be made in the tab's column."""
    kinds = [("Material", "texture"), ("Layout", "structure"), ("Both", "both")]
    by = Choice(kinds, value="texture", label="Alike in", elem_id="find-by")
    photographs = [("Photograph 2", "texture"), ("Photograph 1", "structure"), ("Another", "other")]
    like = Choice(photographs, value="texture", label="Like", elem_id="find-like")
    other = Files(None, label="Another photograph", file_types=IMAGE_TYPES, height=110, elem_id="find-other")
    search = gr.Button("Search", variant="primary", elem_id="find-search")
    found = gr.HTML(None, html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False, elem_id="finder")
    return Finder(by, like, other, search, found)


def told(
    words: str, found: Sequence[dict[str, Any]] | None = None, *, wait: bool = False, again: bool = False
) -> dict[str, Any]:
    """The value of what was found.

    Args:
        words: what there is, or what is wrong.
        found: key, picture and similarity in per cent of each; those of before if not given.
        wait: it is to ask how far it is, before long.
        again: it is to search, for what there is now.
    """
    # With a number of its own, so that the browser also notices what it is told again.
    number = time.monotonic_ns()
    return {"words": words, "found": found and [*found], "wait": wait, "again": again, "told": number}
