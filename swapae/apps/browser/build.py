"""Putting the page's folder together: our own few files, the graphs, the runtime, and what the page has to know."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from huggingface_hub import SpaceCardData

from swapae.apps.browser.runtime import FILES, WASM, version_of
from swapae.apps.page.examples import examples, examples_of, showcase
from swapae.apps.space import SPACE_CARD
from swapae.editing.recipes import ModelId
from swapae.inference.export import INFORMATION_FILE, NAMES, Source, export_model

STATIC = Path(__file__).parent / "static"
PAGE_FILE = "page.json"
# Wide or tall photographs beyond this are refused, as by the page that a server computes.
MOST_ELONGATED = 4


def build_page(source: Source, folder: Path, runtime: Path, *, half: bool = False) -> dict[str, float]:
    """Write the page into a folder that is there, ready for any web server and as a static Hugging Face Space.

    Args:
        source: of the model.
        runtime: of onnxruntime-web, as of `runtime.open_runtime`.
        half: as of `export_model`.

    Returns:
        The graphs' differences from the model, as of `export_model`.

    Raises:
        UserError: as of `export_model`.
    """
    for name in ("model", "runtime", "examples"):
        (folder / name).mkdir()
    differences = export_model(source, folder / "model", "onnx", half=half)
    for path in STATIC.iterdir():
        shutil.copyfile(path, folder / path.name)
    for name in FILES:
        shutil.copyfile(runtime / "dist" / name, folder / "runtime" / name)
    (folder / "runtime" / "LICENSE.txt").write_text(RUNTIME_LICENCE, encoding="utf-8")
    for example in examples_of(showcase(source.name)):
        shutil.copyfile(example.path, folder / "examples" / example.path.name)
    (folder / PAGE_FILE).write_text(page_text(source, folder, version_of(runtime)), encoding="utf-8")
    (folder / "README.md").write_text(readme_text(source), encoding="utf-8")
    return differences


def page_text(source: Source, folder: Path, runtime_version: str) -> str:
    """What the page reads first: sizes, licences, the examples and what a picture says of itself."""
    information = json.loads((folder / "model" / INFORMATION_FILE).read_text(encoding="utf-8"))
    loaded = [*(f"model/{name}.onnx" for name in NAMES), f"runtime/{WASM}"]
    shown = showcase(source.name)
    gallery = examples_of(shown)
    structure, texture = (gallery.index(examples()[index]) for index in shown.pairs[0])
    values = {
        **{name: information[name] for name in ("image_size", "stride")},
        "most_elongated": MOST_ELONGATED,
        "licence": source.licence,
        "card": source.card is not None,
        "runtime": runtime_version,
        "bytes": {name: (folder / name).stat().st_size for name in loaded},
        "metadata": ModelId.of(source.model).metadata(),
        "examples": [
            {
                "file": one.path.name,
                "subject": one.subject,
                "author": one.author,
                "url": one.url,
                "licence": one.licence,
            }
            for one in gallery
        ],
        "opening": {"structure": structure, "texture": texture},
    }
    return json.dumps(values, indent=1) + "\n"


def readme_text(source: Source) -> str:
    """The README.md, whose head makes the folder a static Space."""
    data = SpaceCardData(
        **SPACE_CARD,
        sdk="static",
        app_file="index.html",
        license=source.licence,
        # With these a browser lets the page compute in several threads.
        custom_headers={
            "cross-origin-embedder-policy": "require-corp",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "cross-origin",
        },
    )
    gallery = examples_of(showcase(source.name))
    credits = "\n".join(f"| {one.path.name} | {one.author} | {one.url} | {one.licence} |" for one in gallery)
    licence = source.licence or "not stated: ask whoever made them"
    return README.format(data=data.to_yaml(), licence=licence, credits=credits)


README = """---
{data}
---

# swapae in the browser

Pick two photographs, get the structure of one in the texture of the other: the Swapping Autoencoder of Park et al.
([NeurIPS 2020](https://arxiv.org/abs/2007.00653)). The model runs in the visitor's browser; no photograph leaves it.

Results are made by a network: they are no evidence of anything, and each PNG's metadata say so.

Written by `swapae export --format web`. Any web server can show this folder; `python -m http.server` does.

| | |
|---|---|
| the model's weights | {licence}; `model/MODEL_CARD.md` says more |
| the page | Apache-2.0 |
| `runtime/` | ONNX Runtime Web, Copyright (c) Microsoft Corporation, MIT (`runtime/LICENSE.txt`) |

The photographs in `examples/`:

| file | author | from | licence |
|---|---|---|---|
{credits}
"""

RUNTIME_LICENCE = """ONNX Runtime Web

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
