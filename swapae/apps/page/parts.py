"""Parts of the page that are more than a component of Gradio: uploads nobody has opened yet, and pieces of HTML."""

from __future__ import annotations

import functools
import html
from abc import ABCMeta
from bisect import bisect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta
from gradio.context import LocalContext
from PIL import Image

from swapae.apps.page.addresses import file_address, miniature, thumbnail
from swapae.apps.page.examples import Example, Showcase, examples
from swapae.apps.page.history import History
from swapae.apps.page.settings import SETTINGS
from swapae.apps.page.studio import Result
from swapae.editing.words import in_words
from swapae.errors import UserError

MAX_FILE_SIZE = 20 * 1024**2
# What a dialogue of files shows: browsers do not count all of these among the images.
IMAGE_TYPES = ["image", ".heic", ".heif", ".hif", ".avif", ".jxl"]

# The page's parts and the functions for programs wait in the same queues. Gradio gives a queue the lowest limit that
# any of its events has, which is 1 for an event that says none.
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
FILMS: dict[str, Any] = {"concurrency_id": "films", "concurrency_limit": 2}

# From which mean change beyond what is painted, in 8-bit levels, one says which words of it.
CHANGES = (0.5, 4.0)
OUTSIDE = ("all stays as it was", "hardly anything changes", "the picture changes a little")

PICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-number]');
  if (button) trigger('click', {number: Number(button.dataset.number)});
});
"""

# Says what is wrong in the `note` of an element.
SAY = """
const say = (sentence) => {
  note.replaceChildren();
  if (!sentence) return;
  const words = Object.assign(document.createElement('p'), {className: 'problem', textContent: sentence});
  words.setAttribute('role', 'alert');
  note.append(words);
};
"""
HEADER = (
    "<div><h1>swapae</h1><p>The structure of one photograph in the texture of another.</p></div>"
    '<button id="theme" aria-label="Light or dark">&#9680;</button>'
)
SWITCH_THEME = """
element.querySelector('#theme').addEventListener('click', () => {
  document.body.classList.toggle('dark');
  document.body.style.background = 'var(--body-background-fill)';
});
"""


class WithoutStub(ComponentMeta):
    """Makes subclasses of components, without the .pyi file that Gradio would write beside their module."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> WithoutStub:
        """A class, and nothing on the disk."""
        return ABCMeta.__new__(cls, name, bases, attributes)


class NoAddresses:
    """Brings files into Gradio's folder, but does not fetch an address for a visitor, nor gives one as an example."""

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """As Gradio's."""
        if "://" in str(url_or_file_path):
            raise gr.Error("Give a file, not an address.", print_exception=False)
        return await super().async_move_resource_to_block_cache(url_or_file_path)  # type: ignore[misc]

    def example_payload(self) -> Any:
        """None: Gradio's is a photograph of a bus, elsewhere."""
        return None

    def example_value(self) -> Any:
        """None, likewise."""
        return None


class Photograph(NoAddresses, gr.Image, metaclass=WithoutStub):
    """An image whose upload arrives as the path of a file that nobody has opened.

    Gradio would decode it, without limits and with its own words for what is wrong.
    """

    def get_block_name(self) -> str:
        """The part of the page that draws it."""
        return "image"

    def preprocess(self, payload: Any) -> str | None:
        """The file of an upload; Gradio has checked that it is one of its own."""
        return payload.path if payload else None


class Files(NoAddresses, gr.File, metaclass=WithoutStub):
    """Files that arrive as paths, without the empty file beside each that Gradio would never delete."""

    def get_block_name(self) -> str:
        """The part of the page that draws it."""
        return "file"

    def preprocess(self, payload: Any) -> Any:
        """The path or the paths; Gradio has checked that they are of its own."""
        if payload is None:
            return None
        given = payload.root if hasattr(payload, "root") else [payload]
        paths = [one.path for one in given]
        return paths if self.file_count == "multiple" else next(iter(paths), None)


class Strength(gr.Slider, metaclass=WithoutStub):
    """A slider whose value arrives unchecked: `swapae.apps.page.settings` has the better sentence for a wrong one."""

    def get_block_name(self) -> str:
        """The part of the page that draws it."""
        return "slider"

    def preprocess(self, payload: Any) -> Any:
        """The value as it came."""
        return payload


class Choice(gr.Radio, metaclass=WithoutStub):
    """A choice whose value arrives unchecked, likewise."""

    def get_block_name(self) -> str:
        """The part of the page that draws it."""
        return "radio"

    def preprocess(self, payload: Any) -> Any:
        """The value as it came."""
        return payload


class Listed(gr.Dropdown, metaclass=WithoutStub):
    """A list whose choice arrives unchecked, likewise: it may be of what was added since the page was opened."""

    def get_block_name(self) -> str:
        """The part of the page that draws it."""
        return "dropdown"

    def preprocess(self, payload: Any) -> Any:
        """The choice as it came."""
        return payload

    def postprocess(self, value: Any) -> Any:
        """The choice as it is, of which Gradio would complain in the log."""
        return value


def session() -> str:
    """By which the server knows whose request it is answering; "" where it answers none."""
    request = LocalContext.request.get(None)
    return (request.session_hash if request else None) or ""


def read(path: str | None, role: str = "") -> bytes:
    """The bytes of an upload.

    Raises:
        UserError: nothing was given, or it was deleted since.
    """
    about = f"{role}: " if role else ""
    if not path:
        raise UserError(f"{about}give a {'file' if role == 'Recipe' else 'photograph'}")
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


def quiet(text: str) -> str:
    """A remark as HTML."""
    return f'<p class="quiet">{html.escape(text)}</p>'


def describe(result: Result) -> str:
    """Size and time as HTML, and what a painted edit changed beyond its regions."""
    width, height = result.image.size
    text = f"{width} x {height} pixels, made in {max(result.seconds, 0.01):.2g} s"
    if result.outside is not None:
        text += f"; outside what is painted {OUTSIDE[bisect(CHANGES, result.outside)]}"
    return quiet(text)


def progress(words: str, done: int, total: int) -> str:
    """How far something is, as HTML: a bar, and words for it."""
    bar = f'<progress max="{total}" value="{done}"></progress>' if total else "<progress></progress>"
    return f'<div class="making" role="status">{bar}<span>{html.escape(words)}</span></div>'


def words_html(result: Result) -> str:
    """The recipe in words."""
    steps = "".join(f"<li>{html.escape(step)}</li>" for step in in_words(result.recipe))
    nothing = quiet("No edits: this is the photograph as the model sees it.")
    words = f'<ol class="words">{steps}</ol>' if steps else nothing
    if not result.faithful:
        return words
    label = SETTINGS["fidelity"].label
    return words + quiet(f"{label}, {100 * result.faithful:.0f} %: this is no part of the recipe.")


def presets_html(words: Sequence[str], pictures: Sequence[Image.Image | None]) -> str:
    """A button for each preset, with a thumbnail of what it makes where that is known."""
    buttons = []
    for number, text in enumerate(words):
        picture = pictures[number] if number < len(pictures) else None
        image = f'<img alt="" src="{miniature(picture)}">' if picture else ""
        buttons.append(f'<button type="button" data-number="{number}">{image}<span>{html.escape(text)}</span></button>')
    return f'<p class="quiet">Try</p><div class="presets">{"".join(buttons)}</div>'


def strip_html(pictures: Sequence[Image.Image | None], gain: float, axis: str) -> str:
    """What an axis does to the photograph: pictures at less, none and more of it."""
    images = [
        f'<figure><img alt="{axis} at {words}" src="{thumbnail(picture)}"><figcaption>{words}</figcaption></figure>'
        for picture, words in zip(pictures, (f"{-gain:g}", "0", f"+{gain:g}"), strict=False)
        if picture
    ]
    return f'<div class="strip">{"".join(images)}</div>' if images else ""


def history_html(history: History) -> str:
    """A button for each step; the one shown is marked."""
    buttons = []
    for number, step in enumerate(history.steps):
        shown = ' aria-current="step"' if number == history.position else ""
        name = html.escape(f"Step {number + 1}: {step.control}")
        picture = f'<img alt="" src="{step.thumbnail}">'
        buttons.append(f'<button data-number="{number}" title="{name}" aria-label="{name}"{shown}>{picture}</button>')
    return f'<div class="steps">{"".join(buttons)}</div>'


@functools.cache
def pairs_html(shown: Showcase) -> str:
    """One button per example pair."""
    buttons = []
    for number, pair in enumerate(shown.pairs):
        structure, texture = (examples()[index] for index in pair)
        name = html.escape(f"{structure.subject} in the texture of {texture.subject}")
        images = "".join(f'<img alt="" src="{file_address(one.path)}">' for one in (structure, texture))
        buttons.append(f'<button data-number="{number}" title="{name}" aria-label="{name}">{images}</button>')
    return f'<p class="quiet">Or try one of these: shape, look</p><div class="pairs">{"".join(buttons)}</div>'


def credits_html(gallery: Sequence[Example]) -> str:
    """Whom the examples are by."""
    names = ", ".join(
        f'<a href="{html.escape(example.url)}" rel="noreferrer" target="_blank">{example.subject}</a> by '
        f"{html.escape(example.author)} ({html.escape(example.licence)})"
        for example in gallery
    )
    return f'<p class="quiet">Example photographs, cropped to squares: {names}.</p>'
