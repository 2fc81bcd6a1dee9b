"""What is downloaded: the picture as it is shown, larger ones, made when they are asked for, and the recipe."""

from __future__ import annotations

from typing import Any

import gradio as gr

from swapae.apps.page.enlarging import MAX_LARGE
from swapae.apps.page.settings import SETTINGS
from swapae.apps.page.studio import Result
from swapae.errors import UserError

TEMPLATE = """
<div class="row"><button type="button" class="main" data-save="picture">Download</button>
<select aria-label="Size of the download, in pixels"></select>
<button type="button" data-save="recipe">Recipe</button></div>
<p class="quiet" id="download-remark" hidden></p>
"""
# The picture is fetched from where it is shown already; the recipe is in the page.
SCRIPT = """
const sizes = element.querySelector('select');
const save = (address, name) => Object.assign(document.createElement('a'), {href: address, download: name}).click();
element.addEventListener('click', async (event) => {
  const what = event.target.closest('button[data-save]')?.dataset.save;
  const picture = [...document.querySelectorAll('#result img')].at(-1)?.src;
  if (what === 'picture' && Number(sizes.value) > 1) trigger('enlarge', {times: Number(sizes.value)});
  else if (what === 'picture' && picture)
    save(URL.createObjectURL(await (await fetch(picture)).blob()), 'swapae.png');
  else if (what === 'recipe' && props.value?.recipe)
    save(URL.createObjectURL(new Blob([props.value.recipe], {type: 'application/json'})), 'recipe.json');
});
const remark = element.querySelector('#download-remark');
const show = () => {
  remark.textContent = props.value?.remark || '';
  remark.hidden = !remark.textContent;
  const chosen = sizes.selectedIndex;
  sizes.replaceChildren(...(props.value?.sizes || []).map(([times, words]) => new Option(words, times)));
  sizes.selectedIndex = Math.max(0, Math.min(chosen, sizes.length - 1));
};
watch('value', show);
show();
"""

ONLY_HERE = f'"{SETTINGS["fidelity"].label}" is no part of the recipe, and works at this size only.'


def downloads(value: dict[str, Any] | None) -> gr.HTML:
    """The buttons, with a value of `downloadable`."""
    return gr.HTML(value, html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False, elem_id="downloads")


def downloadable(result: Result, full: float) -> dict[str, Any]:
    """The value for a result.

    Args:
        result: that is shown.
        full: times the photograph is larger than the model's size.
    """
    if result.faithful:
        return replayable(result) | {"remark": ONLY_HERE}
    width, height = result.image.size
    most = (MAX_LARGE / (width * height)) ** 0.5
    sizes = [(1.0, f"{width} x {height} pixels")]
    for times, remark in sorted({(2.0, "twice"), (round(min(full, most), 3), "the photograph's")}):
        if 1.05 < times <= most and all(abs(times / other - 1) > 0.05 for other, _ in sizes):
            seconds = result.seconds * times**2
            wait = f", about {round(seconds)} s" if seconds > 3 else ""
            sizes.append((times, f"{times * width:.0f} x {times * height:.0f} ({remark}{wait})"))
    return {"recipe": result.recipe.to_json(), "sizes": sizes}


def replayable(result: Result) -> dict[str, Any]:
    """The value for a picture whose photographs are elsewhere: as it is, and its recipe."""
    width, height = result.image.size
    return {"recipe": result.recipe.to_json(), "sizes": [(1.0, f"{width} x {height} pixels")]}


def times_of(event: gr.EventData) -> float:
    """How many times larger, which comes from the browser and so may be anything.

    Raises:
        UserError: no such size.
    """
    times = getattr(event, "times", None)
    if isinstance(times, bool) or not isinstance(times, int | float) or not 1 <= times <= 1000:
        raise UserError("there is no such size")
    return float(times)
