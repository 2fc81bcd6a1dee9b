"""What stands where on the page: the tabs, the column of results, and the panels of recipes beneath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from swapae.apps.page import parts
from swapae.apps.page.examples import Example
from swapae.apps.page.style import TABS, on
from swapae.apps.page.tabs import INTRODUCTIONS

SHOWN_TAB = "() => { document.getElementById('page').dataset.tab = '%s'; }"


class ResultsColumn(NamedTuple):
    """The components of the column of results; `film`, `video` and `film_file` are hidden while they are empty."""

    film: gr.Image
    video: gr.Video
    film_file: gr.File
    result: gr.ImageSlider
    status: gr.HTML
    undo: gr.Button
    redo: gr.Button
    reset: gr.Button
    downloads: gr.HTML
    strip: gr.HTML


class RecipePanels(NamedTuple):
    """The recipe in words, and what replays another one."""

    words: gr.HTML
    recipe: parts.Files
    images: parts.Files
    replay: gr.Button


def tab_row() -> dict[str, gr.Tab]:
    """The row of tabs, by name; each holds its introduction alone, its controls are in a column of the page."""
    row = {}
    with gr.Tabs(elem_id="tabs"):
        for tab in TABS:
            name, introduction = INTRODUCTIONS[tab]
            with gr.Tab(name, id=tab, elem_id=f"tab-{tab}") as row[tab]:
                gr.HTML(parts.quiet(introduction), apply_default_css=False)
            row[tab].select(None, None, None, js=SHOWN_TAB % tab, api_visibility="private")
    return row


def results_column(result: Any, status: str, recipe: str, strip: str) -> ResultsColumn:
    """The column of results, opening with these values."""
    with gr.Column(elem_classes=on("motion")):
        film = gr.Image(label="Film", height=520, interactive=False, elem_id="film", type="filepath", buttons=[])
        video = gr.Video(label="Film", elem_id="video", autoplay=True, loop=True, interactive=False)
        film_file = gr.File(label="Film's file", elem_id="film-file", interactive=False)
    slider = gr.ImageSlider(
        result,
        label="Photograph | result: drag to compare",
        format="png",
        height=520,
        slider_position=12,
        interactive=False,
        buttons=["fullscreen"],
        elem_id="result",
    )
    told = gr.HTML(status, elem_id="status", apply_default_css=False)
    with gr.Row(elem_id="actions"):
        undo, redo, reset = (
            gr.Button(name.capitalize(), size="sm", min_width=60, elem_id=name) for name in ("undo", "redo", "reset")
        )
        downloads = gr.HTML(
            parts.DOWNLOADS, js_on_load=parts.DOWNLOAD, apply_default_css=False, elem_id="downloads", recipe=recipe
        )
    history = gr.HTML(strip, js_on_load=parts.PICK, apply_default_css=False, elem_id="history")
    return ResultsColumn(film, video, film_file, slider, told, undo, redo, reset, downloads, history)


def recipe_panels(words: str) -> RecipePanels:
    """The panels of recipes, closed; the first opens with these words."""
    with gr.Accordion("Recipe in words", open=False):
        shown = gr.HTML(words, apply_default_css=False, elem_id="words")
    with gr.Accordion("Replay a recipe", open=False):
        recipe = parts.Files(None, label="Recipe", file_types=[".json"], height=90, elem_id="recipe-in")
        images = parts.Files(
            None,
            label="Its photographs, but for those that are here already",
            file_count="multiple",
            height=90,
            elem_id="recipe-photographs",
        )
        replay = gr.Button("Replay", elem_id="replay")
    return RecipePanels(shown, recipe, images, replay)


def example_pairs(gallery: Sequence[Example]) -> gr.HTML:
    """A button for each pair of examples, and whom they are by."""
    pairs = gr.HTML(parts.pairs_html(gallery), js_on_load=parts.PICK, apply_default_css=False, elem_id="examples")
    gr.HTML(parts.credits_html(gallery), apply_default_css=False, elem_id="credits")
    return pairs
