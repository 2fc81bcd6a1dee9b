"""The page: two photographs in, the structure of one in the texture of the other out.

    python app.py [--port 7860]

Everything that is not about Gradio is in `swapae.demo`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import html
import os
import sys
from abc import ABCMeta
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from swapae import SwapAE, UserError
from swapae.demo.examples import PAIRS, Example, examples
from swapae.demo.studio import Hybrid, Studio

MAX_FILE_SIZE = 20 * 1024**2
# A visitor's files are deleted two hours after they came; looked for every quarter of an hour.
DELETE_CACHE = (900, 7200)
MAX_WAITING = 32
ROLES = ("structure", "texture")

CSS = """
.gradio-container { max-width: 1360px !important; }
#title h1 { margin: 0; font-size: 1.5rem; }
#title p { margin: 0; }
/* The model's pictures are small: fill the frame, whatever the screen. */
#structure img, #texture img, #result img { width: 100%; height: 100%; object-fit: contain; }
.problem { margin: 0; color: #b91c1c; font-weight: 600; }
.dark .problem { color: #fca5a5; }
#structure-problem:not(:has(p)), #texture-problem:not(:has(p)) { display: none; }
/* Gradio's own subdued grey is too faint to read on white. */
.quiet { margin: 0 0 4px; font-size: 0.85rem; color: var(--body-text-color); opacity: 0.75; }
.quiet a { text-decoration: underline; }
#alpha span, #alpha div { color: var(--body-text-color); }
#page .html-container, #examples .html-container, #credits .html-container { padding: 0; }
.pairs { display: flex; flex-wrap: wrap; gap: 12px; }
.pairs button {
  display: flex; gap: 3px; padding: 3px; cursor: pointer;
  border: 2px solid var(--border-color-primary); border-radius: 8px;
  background: var(--background-fill-secondary);
}
.pairs button:hover, .pairs button:focus-visible { border-color: var(--color-accent); }
.pairs img { display: block; width: 64px; height: 64px; margin: 0; border-radius: 5px; }
@media (max-width: 820px) {
  #page { flex-direction: column; flex-wrap: nowrap; }
  #page > * { width: 100%; }
  #results { order: 1; } #controls { order: 2; } #inputs { order: 3; }
  #result { height: 92vw !important; }
  .pairs img { width: 56px; height: 56px; }
}
"""

# What `Blocks.launch` wants to know about the page since Gradio 6.
LAUNCH: dict[str, Any] = {
    "theme": gr.themes.Default(
        primary_hue="teal",
        font=["system-ui", "sans-serif"],  # no font is fetched from anywhere
        font_mono=["ui-monospace", "monospace"],
    ),
    "css": CSS,
    "max_file_size": MAX_FILE_SIZE,
    "footer_links": ["api", "settings"],
}

PICK_PAIR = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-pair]');
  if (button) trigger('click', {pair: Number(button.dataset.pair)});
});
"""

# Gradio answers these files in the browser, in a corner and in its own words; here they never reach it.
REFUSE_FILES = """
const refuse = (event) => {
  const file = (event.target.files ?? event.dataTransfer?.files)?.[0];
  if (!file || !event.target.closest('#' + props.role)) return;
  let problem = '';
  if (!file.type.startsWith('image/'))
    problem = 'The file is not a picture of a kind that the browser knows: convert it to PNG or JPEG.';
  else if (file.size > props.limit)
    problem = `The picture has over ${Math.round(props.limit / 2 ** 20)} MB: make it smaller first.`;
  if (!problem) return;
  event.stopPropagation();
  event.preventDefault();
  if (event.type === 'drop') event.target.dispatchEvent(new DragEvent('dragleave', {bubbles: true}));
  else event.target.value = '';  // so that the same file is noticed again
  props.value = `<p class="problem" role="alert">${problem}</p>`;
};
document.addEventListener('change', refuse, true);
document.addEventListener('drop', refuse, true);
"""

ABOUT = (
    '<p class="quiet">Park et al., "Swapping Autoencoder for Deep Image Manipulation", NeurIPS 2020, '
    "arXiv:2007.00653. Code and model: Apache-2.0. Uploads stay on the machine that serves this page: files for "
    "about two hours, what is kept in memory until newer ones need the room.</p>"
)


class WithoutStub(type(gr.Image)):
    """Makes subclasses of components, without the .pyi file that Gradio would write beside their module."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> WithoutStub:
        """A class, and nothing on the disk."""
        return ABCMeta.__new__(cls, name, bases, attributes)


class Photograph(gr.Image, metaclass=WithoutStub):
    """An image whose upload arrives as the path of a file that nobody has opened.

    Gradio would decode it, without limits and with its own words for what is wrong.
    """

    def get_block_name(self) -> str:
        """The part of the page that draws it."""
        return "image"

    def preprocess(self, payload: Any) -> str | None:
        """The file of an upload; Gradio has checked that it is one of its own."""
        return payload.path if payload else None

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """Bring a file into Gradio's folder, but do not fetch an address for a visitor."""
        if "://" in str(url_or_file_path):
            raise gr.Error("Give a file, not an address.", print_exception=False)
        return await super().async_move_resource_to_block_cache(url_or_file_path)


class Strength(gr.Slider, metaclass=WithoutStub):
    """A slider whose value arrives unchecked: `Studio.swap` has the better sentence for a wrong one."""

    def get_block_name(self) -> str:
        """The part of the page that draws it."""
        return "slider"

    def preprocess(self, payload: Any) -> Any:
        """The value as it came."""
        return payload


def build_demo(model: SwapAE) -> gr.Blocks:
    """The page for a model in evaluation mode; launch it with `**LAUNCH`."""
    studio = Studio(model)
    gallery = examples()
    opening = tuple(str(gallery[index].path) for index in PAIRS[0])
    first = studio.swap(read(opening[0]), read(opening[1]))

    # Every handler returns a value for each of its outputs. To leave one out makes Gradio keep a copy of that
    # component for the visitor, and of the copy's files it does not know that they are to be deleted.

    def render(structure_path: str | None, texture_path: str | None, alpha: float) -> tuple:
        """Values of `shown`."""
        if not structure_path or not texture_path:
            return None, None, problem("Two photographs are needed: upload both, or pick an example.")
        try:
            hybrid = studio.swap(read(structure_path, "Structure"), read(texture_path, "Texture"), alpha)
        except UserError as error:
            return None, None, problem(error)
        return hybrid.image, (hybrid.structure, hybrid.image), describe(hybrid)

    def choose(
        role: str, uploaded: str | None, structure_path: str | None, texture_path: str | None, alpha: float
    ) -> tuple:
        """Values of a slot and of `shown` after an upload to it; a bad one leaves things as they were."""
        paths = dict(zip(ROLES, (structure_path, texture_path), strict=True))
        try:
            # What is shown is a PNG of what was understood: upright, one frame, in a format that browsers know.
            preview, paths[role], note = studio.photograph(read(uploaded)).preview, uploaded, ""
        except UserError as error:
            preview, note = None, sentence(error)
            if kept := paths[role]:
                with contextlib.suppress(UserError):
                    preview = studio.photograph(read(kept)).preview
                    note += " The photograph from before is kept."
            note = problem(note)
        return preview, paths[role], note, *render(*paths.values(), alpha)

    def remove(role: str) -> tuple:
        """Values of a slot's path and note, and of `shown`, after its photograph was taken away."""
        return None, problem(f"Upload a {role} photograph, or pick an example."), None, None, ""

    def pick(event: gr.EventData, alpha: float) -> tuple:
        """Values of both slots and of `shown` after an example was clicked."""
        pair = event.pair  # from the browser, so anything
        if not isinstance(pair, int) or not 0 <= pair < len(PAIRS):
            raise gr.Error("There is no such example.", print_exception=False)
        structure, texture = (str(gallery[index].path) for index in PAIRS[pair])
        return structure, structure, "", texture, texture, "", *render(structure, texture, alpha)

    def swap(structure_image: str | None, texture_image: str | None, alpha: float) -> Any:
        """The structure of one photograph in the texture of another."""
        try:
            return studio.swap(read(structure_image, "Structure"), read(texture_image, "Texture"), alpha).image
        except UserError as error:
            raise gr.Error(sentence(error), print_exception=False) from None

    with gr.Blocks(title="swapae", analytics_enabled=False, delete_cache=DELETE_CACHE) as demo:
        gr.Markdown(
            "# swapae\nThe structure of one photograph in the texture of another.",
            elem_id="title",
            container=False,
        )
        with gr.Row(elem_id="page"):
            with gr.Column(scale=3, min_width=240, elem_id="inputs"):
                slots = {role: slot(role, file) for role, file in zip(ROLES, opening, strict=True)}
                gr.HTML(
                    '<p class="quiet">This model knows flowers; other photographs come out looser. '
                    f"It works at {model.config.image_size} pixels on the short side.</p>",
                    apply_default_css=False,
                )
            with gr.Column(scale=6, min_width=320, elem_id="results"):
                result = gr.Image(
                    first.image,
                    label="Result",
                    format="png",
                    height=520,
                    interactive=False,
                    buttons=["download", "fullscreen"],
                    elem_id="result",
                    alt_text="The structure photograph in the texture of the other",
                )
                status = gr.HTML(describe(first), elem_id="status", apply_default_css=False)
            with gr.Column(scale=3, min_width=240, elem_id="controls"):
                alpha = Strength(
                    0,
                    1,
                    1,
                    step=0.01,
                    label="Texture strength",
                    info="0: the structure photograph's own, 1: the other's",
                    elem_id="alpha",
                )
                comparison = gr.ImageSlider(
                    (first.structure, first.image),
                    label="Structure photograph | result",
                    format="png",
                    interactive=False,
                    buttons=["fullscreen"],
                    elem_id="comparison",
                )
        pairs = gr.HTML(pairs_html(gallery), js_on_load=PICK_PAIR, apply_default_css=False, elem_id="examples")
        gr.HTML(credits_html(gallery) + ABOUT, apply_default_css=False, elem_id="credits")

        paths = [path for _, path, _ in slots.values()]
        shown = [result, comparison, status]
        # One inference at a time: they would only share the same cores.
        common: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
        private = common | {"api_visibility": "private", "show_progress": "hidden"}
        # While the slider moves one request is under way and the newest position waits; the others are dropped.
        alpha.input(render, [*paths, alpha], shown, trigger_mode="always_last", **private)
        for role, (view, path, note) in slots.items():
            view.upload(partial(choose, role), [view, *paths, alpha], [view, path, note, *shown], **private)
            view.clear(partial(remove, role), None, [path, note, *shown], **private)
        pairs.click(pick, [alpha], [*slots["structure"], *slots["texture"], *shown], **private)
        # No part of the page triggers it: it is for `gradio_client` and curl.
        structure_view, texture_view = (view for view, _, _ in slots.values())
        gr.on([], swap, [structure_view, texture_view, alpha], result, api_name="swap", **common)
    return demo.queue(max_size=MAX_WAITING)


def slot(role: str, file: str) -> tuple[Photograph, gr.State, gr.HTML]:
    """Where a photograph is dropped: what is seen of it, the path of its file, what is wrong with it."""
    view = Photograph(
        file,
        label=f"{role.capitalize()} photograph",
        format="png",
        height=210,
        sources=["upload", "clipboard"],
        type="filepath",
        interactive=True,
        buttons=[],
        elem_id=role,
        alt_text=f"The {role} photograph",
    )
    note = gr.HTML(
        "",
        js_on_load=REFUSE_FILES,
        apply_default_css=False,
        elem_id=f"{role}-problem",
        role=role,
        limit=MAX_FILE_SIZE,
    )
    return view, gr.State(file), note


def read(path: str | None, role: str = "") -> bytes:
    """The bytes of an upload.

    Raises:
        UserError: nothing was given, or it was deleted since.
    """
    about = f"{role}: " if role else ""
    if not path:
        raise UserError(f"{about}give a photograph")
    try:
        return Path(path).read_bytes()
    except OSError:
        raise UserError(f"{about}the photograph is no longer kept here: upload it again") from None


def sentence(error: UserError | str) -> str:
    """A message with a capital and a full stop."""
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def problem(error: UserError | str) -> str:
    """A message as HTML that screen readers announce."""
    return f'<p class="problem" role="alert">{html.escape(sentence(error))}</p>'


def describe(hybrid: Hybrid) -> str:
    """Size and time as HTML."""
    width, height = hybrid.image.size
    return f'<p class="quiet">{width} x {height} pixels, decoded in {1000 * hybrid.seconds:.0f} ms</p>'


def pairs_html(gallery: Sequence[Example]) -> str:
    """One button per example pair."""
    pictures = [base64.b64encode(example.path.read_bytes()).decode() for example in gallery]
    buttons = []
    for number, pair in enumerate(PAIRS):
        structure, texture = (gallery[index] for index in pair)
        name = html.escape(f"{structure.subject} in the texture of {texture.subject}")
        images = "".join(f'<img alt="" src="data:image/jpeg;base64,{pictures[index]}">' for index in pair)
        buttons.append(f'<button data-pair="{number}" title="{name}" aria-label="{name}">{images}</button>')
    return f'<p class="quiet">Examples: structure, texture</p><div class="pairs">{"".join(buttons)}</div>'


def credits_html(gallery: Sequence[Example]) -> str:
    """Whom the examples are by."""
    names = ", ".join(
        f'<a href="{html.escape(example.url)}" rel="noreferrer" target="_blank">{example.subject}</a> by '
        f"{html.escape(example.author)} ({html.escape(example.licence)})"
        for example in gallery
    )
    return f'<p class="quiet">Example photographs, cropped to squares: {names}.</p>'


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page for the embedded model until interrupted; 2 if that cannot be."""
    parser = argparse.ArgumentParser(description="The structure of one photograph in the texture of another.")
    default = os.environ.get("PORT", "7860")
    parser.add_argument("--port", type=int, default=default, help="$PORT or 7860 if not given")
    port = parser.parse_args(arguments).port
    # A Space is reached from outside its container; everyone else has to ask for that.
    host = os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1")
    try:
        build_demo(SwapAE.default()).launch(server_name=host, server_port=port, **LAUNCH)
    except UserError as error:
        print(f"app.py: {error}", file=sys.stderr)
    except (OSError, OverflowError):  # all that Gradio says of a port that is taken, or is none
        print(f"app.py: cannot serve at {host}:{port}; is it taken? Choose another --port", file=sys.stderr)
    else:
        return 0
    return 2


if __name__ == "__main__":
    sys.exit(main())
