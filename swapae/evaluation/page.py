"""One HTML page with an evaluation's table and pictures: nothing in it is loaded from anywhere, and no script runs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path

from torch import Tensor

from swapae.codes import Codes
from swapae.editing.recipes import ModelId
from swapae.evaluation.measuring import Measuring
from swapae.evaluation.results import Results
from swapae.files import atomic_path
from swapae.pictures.images import to_pil
from swapae.pictures.saving import metadata_options

PAIRS, EXTREMES = 12, 6
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2em auto; max-width: 1080px; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 } td, th { border-top: 1px solid #ddd; padding: .25em .8em .25em 0 }
td, th { text-align: left; vertical-align: top; overflow-wrap: anywhere } td + td { font-variant-numeric: tabular-nums }
.rows { display: grid; grid-template-columns: repeat(auto-fill, minmax(480px, 1fr)); gap: 1.2em }
figure { margin: 0 } figure div { display: flex; gap: 4px } img { width: 33%; max-width: 256px; display: block }
.two img { width: 50% } figcaption { font-size: 12px; color: #555; overflow-wrap: anywhere }
"""
HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
"""


def write_page(results: Results, measuring: Measuring, folder: Path, path: Path) -> None:
    """Write the page: the table, the first pairs with their hybrids, and the best and worst reconstructions.

    Raises:
        UserError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(page(results, measuring, folder), encoding="utf-8", errors="backslashreplace")


def page(results: Results, measuring: Measuring, folder: Path) -> str:
    """The page's text."""
    title = escape(f"Evaluation of {results.about['model']}")
    generated = ModelId.of(measuring.model).metadata()
    net = f"lpips_{measuring.networks.main}"
    lpips_name = escape(results.names[net])

    def hybrid(structure: str, texture: str, figures: Mapping[str, float]) -> str:
        first, second = (measuring.subject(folder / name) for name in (structure, texture))
        picture = measuring.decode(Codes(first.codes.structure, second.codes.texture))
        images = [image(first.image, "structure"), image(second.image, "texture"), image(picture, "hybrid", generated)]
        caption = (
            f"structure {escape(structure)}, texture {escape(texture)}: structure distance to the structure image "
            f"{figures['structure_to_structure_image']:.3f}, texture distance to the texture image "
            f"{figures['texture_to_texture_image']:.3f}"
        )
        return f"<figure><div>{''.join(images)}</div><figcaption>{caption}</figcaption></figure>"

    def reconstruction(name: str, figures: Mapping[str, float]) -> str:
        subject = measuring.subject(folder / name)
        images = [
            image(subject.image, "photograph"),
            image(measuring.reconstruct(subject.codes), "reconstruction", generated),
        ]
        caption = f"{escape(name)}: {figures[net]:.3f}"
        return f'<figure class="two"><div>{"".join(images)}</div><figcaption>{caption}</figcaption></figure>'

    by_lpips = sorted(results.reconstructions.items(), key=lambda item: item[1][net])
    # The best and the worst never share one.
    shown = min(EXTREMES, len(by_lpips) // 2)
    pairs = list(results.hybrids.items())[:PAIRS]
    about = "".join(f"<tr><td>{escape(name)}<td>{escape(str(value))}" for name, value in results.about.items())
    rows = "".join(f"<tr><td>{escape(name)}<td>{escape(value)}" for name, value in results.rows())
    parts = [
        f"{HEAD}<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>",
        f"<table>{about}</table>",
        f"<table><tr><th><th>mean ± standard error{rows}</table>",
        *(f"<p>{escape(note)}</p>" for note in results.notes),
        "<h2>Hybrids</h2>",
        f"<p>Structure, texture, hybrid: the first {len(pairs)} pairs of the list. Hybrids are generated pictures.</p>",
        f'<div class="rows">{"".join(hybrid(*names, figures) for names, figures in pairs)}</div>',
        "<h2>Best reconstructions</h2>",
        f"<p>Photograph, reconstruction (a generated picture), and {lpips_name}.</p>",
        f'<div class="rows">{"".join(reconstruction(*item) for item in by_lpips[:shown])}</div>',
        "<h2>Worst reconstructions</h2>",
        f'<div class="rows">{"".join(reconstruction(*item) for item in by_lpips[::-1][:shown])}</div>',
    ]
    return "\n".join(parts) + "\n</html>\n"


def image(picture: Tensor, alternative: str, metadata: Mapping[str, str] | None = None) -> str:
    """An element with the picture [1, 3, H, W] inside, as JPEG; a generated one says so in its metadata."""
    content = io.BytesIO()
    to_pil(picture).save(content, "JPEG", quality=90, **metadata_options("JPEG", metadata or {}))
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img alt="{alternative}" src="data:image/jpeg;base64,{data}">'
