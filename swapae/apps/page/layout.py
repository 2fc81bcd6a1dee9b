"""What stands where on the page: the tabs, the column of results, and the panels of recipes beneath."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from swapae.apps.page import parts
from swapae.apps.page.compare import compare
from swapae.apps.page.downloads import downloads
from swapae.apps.page.examples import Example, Showcase
from swapae.apps.page.finder import TAB as FIND
from swapae.apps.page.style import TABS, on
from swapae.apps.page.tabs import INTRODUCTIONS
from swapae.apps.page.training.told import TAB as TRAIN

# Tabs as the ARIA practices want them: one of them is reached by Tab, the arrows go from there to the others.
TAB_SCRIPT = """
const tabs = [...element.querySelectorAll('[role=tab]')], words = element.querySelector('#introduction');
const select = (tab) => {
  for (const one of tabs) {
    one.setAttribute('aria-selected', one === tab);
    one.tabIndex = one === tab ? 0 : -1;
  }
  words.textContent = tab.dataset.words;
  tab.scrollIntoView({block: 'nearest', inline: 'nearest'});
  document.getElementById('page').dataset.tab = tab.dataset.tab;
  document.getElementById('controls').setAttribute('aria-labelledby', tab.id);
  sessionStorage.setItem('swapae tab', tab.dataset.tab);
  trigger('select', {tab: tab.dataset.tab});
};
for (const tab of tabs) tab.addEventListener('click', () => select(tab));
element.addEventListener('keydown', (event) => {
  const at = tabs.indexOf(event.target), last = tabs.length - 1;
  const to = {ArrowRight: at < last ? at + 1 : 0, ArrowLeft: at > 0 ? at - 1 : last, Home: 0, End: last}[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  select(tabs[to]);
  tabs[to].focus();
});
// The panel comes after the tabs.
const begin = () => {
  const panel = document.getElementById('controls');
  if (!panel) return void setTimeout(begin, 20);
  panel.setAttribute('role', 'tabpanel');
  panel.setAttribute('aria-labelledby', tabs[0].id);
  const earlier = tabs.find((tab) => tab.dataset.tab === sessionStorage.getItem('swapae tab'));
  if (earlier && earlier !== tabs[0]) select(earlier);
};
begin();
"""
CROSSES = """
element.addEventListener('click', (event) => {
  const name = event.target.closest('button[data-name]')?.dataset.name;
  if (name) trigger('click', {name});
});
"""
# A larger picture, once it is made, is saved without another click.
SAVE_LARGE = "() => setTimeout(() => document.querySelector('#large a')?.click(), 300)"


class ResultsColumn(NamedTuple):
    """The components of the column of results; those of films and of larger pictures are hidden while empty."""

    film: gr.Image
    video: gr.Video
    film_file: gr.File
    edits: gr.HTML
    result: gr.HTML
    status: gr.HTML
    refining: gr.HTML
    cancel: gr.Button
    undo: gr.Button
    redo: gr.Button
    reset: gr.Button
    downloads: gr.HTML
    large_note: gr.HTML
    large_name: gr.Textbox
    large: gr.File
    strip: gr.HTML


class RecipePanels(NamedTuple):
    """The recipe in words, and what replays another one."""

    words: gr.HTML
    recipe: parts.Files
    images: parts.Files
    replay: gr.Button
    note: gr.HTML


def tab_row(find: bool = False, train: bool = False) -> gr.HTML:
    """The row of tabs and the introduction of the one that is open; a `select` event carries `tab`.

    Args:
        find: there is a folder to find photographs in.
        train: visitors may train models.
    """
    names = INTRODUCTIONS | ({"find": FIND} if find else {}) | ({"train": TRAIN} if train else {})
    tabs = "".join(
        f'<button type="button" role="tab" id="tab-{tab}" data-tab="{tab}" data-words="{html.escape(words)}" '
        f'aria-controls="controls" aria-selected="{str(tab == TABS[0]).lower()}" '
        f'tabindex="{0 if tab == TABS[0] else -1}">{name}</button>'
        for tab, (name, words) in ((tab, names[tab]) for tab in TABS if tab in names)
    )
    row = f'<div role="tablist" aria-label="Ways to edit">{tabs}</div>'
    introduction = f'<p class="quiet" id="introduction">{INTRODUCTIONS[TABS[0]][1]}</p>'
    return gr.HTML(row + introduction, js_on_load=TAB_SCRIPT, apply_default_css=False, elem_id="tabs")


def results_column(values: Sequence[Any]) -> ResultsColumn:
    """The column of results, opening with values of `Handlers.shown`."""
    result, status, _, download, edits, strip, undoing, redoing, _ = values
    with gr.Column(elem_classes=on("motion"), elem_id="films"):
        film = gr.Image(label="Film", height=420, interactive=False, elem_id="film", type="filepath", buttons=[])
        video = gr.Video(label="Film", elem_id="video", autoplay=True, loop=True, interactive=False)
        film_file = gr.File(label="Film file", elem_id="film-file", interactive=False)
    with gr.Column(elem_id="stage"):
        on_now = gr.HTML(edits, js_on_load=CROSSES, apply_default_css=False, elem_id="edits")
        picture = compare(result)
        told = gr.HTML(status, elem_id="status", apply_default_css=False)
    refining = gr.HTML("", apply_default_css=False, elem_id="refining", elem_classes=["note"])
    cancel = gr.Button("Cancel", size="sm", visible=False, elem_id="cancel-refining")
    with gr.Row(elem_id="actions"):
        undo, redo, reset = (
            gr.Button(name.capitalize(), size="sm", min_width=60, elem_id=name, interactive=possible)
            for name, possible in (("undo", undoing.interactive), ("redo", redoing.interactive), ("reset", True))
        )
        saved = downloads(download)
    note = gr.HTML("", apply_default_css=False, elem_id="large-note", elem_classes=["note"])
    name = gr.Textbox("", visible="hidden", label="The larger picture's name")
    large = gr.File(label="The larger picture", elem_id="large", interactive=False)
    history = gr.HTML(strip, js_on_load=parts.PICK, apply_default_css=False, elem_id="history")
    return ResultsColumn(
        *(film, video, film_file, on_now, picture, told, refining, cancel),
        *(undo, redo, reset, saved, note, name, large, history),
    )


def recipe_panels(words: str) -> RecipePanels:
    """The panels of recipes, closed; the first opens with these words."""
    with gr.Accordion("The recipe in words", open=False):
        shown = gr.HTML(words, apply_default_css=False, elem_id="words")
    with gr.Accordion("Replay a recipe", open=False):
        recipe = parts.Files(None, label="Recipe", file_types=[".json"], height=90, elem_id="recipe-in")
        images = parts.Files(
            None,
            label="Missing photographs",
            file_count="multiple",
            height=90,
            elem_id="recipe-photographs",
        )
        replay = gr.Button("Replay", elem_id="replay")
        note = gr.HTML("", apply_default_css=False, elem_id="replay-problem", elem_classes=["note"])
    return RecipePanels(shown, recipe, images, replay, note)


def example_pairs(shown: Showcase) -> gr.HTML:
    """A button for each pair of examples."""
    return gr.HTML(parts.pairs_html(shown), js_on_load=parts.PICK, apply_default_css=False, elem_id="examples")


def credits(gallery: Sequence[Example]) -> None:
    """Whom the examples are by."""
    gr.HTML(parts.credits_html(gallery), apply_default_css=False, elem_id="credits")
