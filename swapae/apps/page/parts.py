"""Parts of the page that are more than a component of Gradio: uploads nobody has opened yet, and pieces of HTML."""

from __future__ import annotations

import html
from abc import ABCMeta
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta
from gradio.context import LocalContext
from PIL import Image

from swapae.apps.page.addresses import file_address, miniature, thumbnail
from swapae.apps.page.examples import PAIRS, Example
from swapae.apps.page.history import History
from swapae.apps.page.studio import Result
from swapae.editing.words import in_words
from swapae.errors import UserError

MAX_FILE_SIZE = 20 * 1024**2
# What a dialogue of files shows: browsers do not count all of these among the images.
IMAGE_TYPES = ["image", ".heic", ".heif", ".hif", ".avif", ".jxl"]

PICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-number]');
  if (button) trigger('click', {number: Number(button.dataset.number)});
});
"""

# Gradio answers these files in the browser, in a corner and in its own words; here they never reach it.
REFUSE_FILES = """
const refuse = (event) => {
  const file = (event.target.files ?? event.dataTransfer?.files)?.[0];
  if (!file || !event.target.closest('#' + props.role)) return;
  let problem = '';
  // Of these, most browsers do not know the kind; the server reads them.
  const known = /\\.(heic|heif|hif|avif|jxl)$/i.test(file.name);
  if (known && !file.type.startsWith('image/')) {
    event.stopPropagation();
    event.preventDefault();
    if (event.type === 'drop') event.target.dispatchEvent(new DragEvent('dragleave', {bubbles: true}));
    const given = new DataTransfer(), input = event.target.closest('#' + props.role).querySelector('input[type=file]');
    if (!input) return;
    given.items.add(new File([file], file.name, {type: 'image/heif'}));
    input.files = given.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
    return;
  }
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
// A dialogue that shows what the browser calls an image would hide them.
document.addEventListener('click', (event) => {
  for (const input of event.target.closest?.('#' + props.role)?.querySelectorAll('input[type=file]') ?? [])
    input.accept = 'image/*,.heic,.heif,.hif,.avif,.jxl';
}, true);
"""

# The picture is fetched from where it is shown already; the recipe is in the page.
DOWNLOAD = """
const save = (address, name) => {
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
};
element.addEventListener('click', async (event) => {
  const what = event.target.closest('button[data-save]')?.dataset.save;
  const pictures = document.querySelectorAll('#result img');
  if (what === 'picture' && pictures.length) {
    const blob = await (await fetch(pictures[pictures.length - 1].src)).blob();
    save(URL.createObjectURL(blob), 'swapae.png');
  } else if (what === 'recipe' && props.recipe) {
    save(URL.createObjectURL(new Blob([props.recipe], {type: 'application/json'})), 'recipe.json');
  }
});
"""
DOWNLOADS = (
    '<div class="row"><button data-save="picture">Download PNG</button>'
    '<button data-save="recipe">Download recipe</button></div>'
)


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
    """Brings files into Gradio's folder, but does not fetch an address for a visitor."""

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """As Gradio's."""
        if "://" in str(url_or_file_path):
            raise gr.Error("Give a file, not an address.", print_exception=False)
        return await super().async_move_resource_to_block_cache(url_or_file_path)  # type: ignore[misc]


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


def session() -> str:
    """By which the server knows whose request it is answering; "" where it answers none."""
    request = LocalContext.request.get(None)
    return (request.session_hash if request else None) or ""


def slot(role: str, file: str | None, classes: list[str]) -> tuple[Photograph, gr.State, gr.HTML]:
    """Where a photograph is dropped: what is seen of it, the path of its file, what is wrong with it."""
    view = Photograph(
        file,
        label=f"{role.capitalize()} photograph",
        format="png",
        height=170,
        sources=["upload", "clipboard"],
        type="filepath",
        interactive=True,
        buttons=[],
        elem_id=role,
        elem_classes=classes,
        alt_text=f"The {role} photograph",
    )
    note = gr.HTML(
        "",
        js_on_load=REFUSE_FILES,
        apply_default_css=False,
        elem_id=f"{role}-problem",
        elem_classes=["note"],
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
    text = f"{width} x {height} pixels, made in {1000 * result.seconds:.0f} ms"
    if result.outside is not None:
        text += f"; outside what is painted, pixels changed by {result.outside:.1f} of 255 levels on average"
    return quiet(text)


def words_html(result: Result) -> str:
    """The recipe in words."""
    steps = "".join(f"<li>{html.escape(step)}</li>" for step in in_words(result.recipe))
    nothing = quiet("Nothing is changed: this is what the model makes of the photograph itself.")
    return f'<ol class="words">{steps}</ol>' if steps else nothing


def presets_html(words: Sequence[str], pictures: Sequence[Image.Image | None]) -> str:
    """A button for each preset, with a thumbnail of what it makes where that is known."""
    buttons = []
    for number, text in enumerate(words):
        picture = pictures[number] if number < len(pictures) else None
        image = f'<img alt="" src="{miniature(picture)}">' if picture else ""
        buttons.append(f'<button data-number="{number}">{image}<span>{html.escape(text)}</span></button>')
    return f'<p class="quiet">Try</p><div class="presets">{"".join(buttons)}</div>'


def strip_html(pictures: Sequence[Image.Image | None], gain: float) -> str:
    """What an axis does to the photograph: pictures at less, none and more of it."""
    images = [
        f'<figure><img alt="" src="{thumbnail(picture)}"><figcaption>{words}</figcaption></figure>'
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


def pairs_html(gallery: Sequence[Example]) -> str:
    """One button per example pair."""
    pictures = [file_address(example.path) for example in gallery]
    buttons = []
    for number, pair in enumerate(PAIRS):
        structure, texture = (gallery[index] for index in pair)
        name = html.escape(f"{structure.subject} in the texture of {texture.subject}")
        images = "".join(f'<img alt="" src="{pictures[index]}">' for index in pair)
        buttons.append(f'<button data-number="{number}" title="{name}" aria-label="{name}">{images}</button>')
    return f'<p class="quiet">Examples: structure, texture</p><div class="pairs">{"".join(buttons)}</div>'


def credits_html(gallery: Sequence[Example]) -> str:
    """Whom the examples are by."""
    names = ", ".join(
        f'<a href="{html.escape(example.url)}" rel="noreferrer" target="_blank">{example.subject}</a> by '
        f"{html.escape(example.author)} ({html.escape(example.licence)})"
        for example in gallery
    )
    return f'<p class="quiet">Example photographs, cropped to squares: {names}.</p>'
