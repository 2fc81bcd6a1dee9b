"""A Hugging Face Space that serves the page: what it is made of, and how it is created and updated.

The package itself goes up, with its weights and examples, since it is on no index that a Space installs from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceCardData

from swapae.config import SwapAEConfig
from swapae.errors import UserError
from swapae.hub import card, folders, remote

PACKAGE = Path(__file__).parents[1]
# The Gradio that everything was tested with, and the Python that ZeroGPU is documented for.
GRADIO = "6.31.0"
PYTHON = "3.10.13"
# What the cards of all our Spaces say.
SPACE_CARD: dict[str, Any] = {
    "title": "swapae",
    "emoji": "🌷",
    "colorFrom": "green",
    "colorTo": "pink",
    "short_description": "The structure of one photo in the texture of another",
    "tags": ["swapping-autoencoder", "image-to-image", "image-editing", "gan"],
}
# What the package needs, beside Gradio, which the Space's `sdk_version` installs.
REQUIREMENTS = (
    "torch>=2.6",
    "numpy>=1.26",
    "pillow>=11.3",
    "pillow-heif>=1.5",
    "safetensors>=0.5",
    "huggingface-hub>=1.0",
    "jinja2>=3.1",
    "tyro>=1.0.14",
    "tqdm>=4.66",
    "av>=17",
    "ncnn>=1.0.20250503",
)


def push_space(repo: str, *, model: str | None = None, private: bool | None = None, token: str | None = None) -> str:
    """Create a Space or bring it up to this version of the package, in one commit.

    Its app.py, README.md, requirements.txt and folder swapae/ are written anew; files of that folder that the
    package no longer has are deleted, and all else is left as it is.

    Args:
        repo: "owner/name" of the Space.
        model: "owner/name" of the model that the page opens with; the embedded one if not given.
        private: only for a new Space.
        token: the one that is logged in if not given.

    Returns:
        The Space's address.

    Raises:
        UserError: no such model, not allowed, not reachable, or a Space that holds something else.
    """
    if model is not None:
        check_model(model, token)
    files = space_files(model)
    api = HfApi(token=token)
    with remote.uploading(repo):
        url = api.create_repo(repo, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        held = api.list_repo_files(url.repo_id, repo_type="space")
        if "app.py" in held and "swapae/__init__.py" not in held:
            raise UserError(f"the Space {url.repo_id!r} holds another app, which would be lost; give another name")
        written = [CommitOperationAdd(name, content) for name, content in files.items()]
        deleted = [CommitOperationDelete(name) for name in outdated(held, files)]
        api.create_commit(url.repo_id, [*written, *deleted], commit_message="Update swapae", repo_type="space")
    return str(url)


def check_model(model: str, token: str | None) -> None:
    """Raise UserError unless a model is on the Hub, since the Space would not start."""
    if os.path.exists(model):
        raise UserError(
            f"{model!r} is on this machine, where a Space cannot read it: push it to the Hub first, with "
            f"SwapAE.from_pretrained({model!r}).push_to_hub({card.PLACEHOLDER!r}), and give that name"
        )
    path = remote.download(model, repr(model), None, token, False, (folders.CONFIG_FILE,)) / folders.CONFIG_FILE
    if not path.is_file():
        raise UserError(
            f"{model!r} is no swapae model, it lacks {folders.CONFIG_FILE}; give a repository that swapae pushed"
        )
    folders.read_config(path, SwapAEConfig)


def space_files(model: str | None = None) -> dict[str, bytes | Path]:
    """Everything that a Space is made of, by its name there."""
    package = {
        f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": path
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and not any(hidden(part) for part in path.relative_to(PACKAGE).parts)
    }
    texts = {
        "app.py": app_text(model),
        "README.md": readme_text(model),
        "requirements.txt": "\n".join(REQUIREMENTS) + "\n",
    }
    return {name: text.encode() for name, text in texts.items()} | package


def hidden(name: str) -> bool:
    """Whether a file or folder of the package is none of it: compiled, or left by an editor."""
    return name.startswith(".") or name == "__pycache__" or name.endswith((".pyc", "~"))


def outdated(held: Iterable[str], files: dict[str, bytes | Path]) -> list[str]:
    """Files of the Space's package that are no longer in ours."""
    return [name for name in held if name.startswith(f"{PACKAGE.name}/") and name not in files]


def app_text(model: str | None) -> str:
    """The Space's app.py."""
    return APP.format(arguments="" if model is None else json.dumps(["--model", model]))


def readme_text(model: str | None) -> str:
    """The Space's README.md, whose head the Hub reads. Of that head the repository's README has only what is needed."""
    data = SpaceCardData(
        **SPACE_CARD,
        sdk="gradio",
        sdk_version=GRADIO,
        python_version=PYTHON,
        app_file="app.py",
        license="apache-2.0",
        models=None if model is None else [model],
    )
    about = (
        "the small models of flowers and of building fronts that come with it"
        if model is None
        else f"[{model}](/{model})"
    )
    return README.format(data=data.to_yaml(), about=about)


APP = '''"""Written by `swapae space push`; the page is in swapae/apps/page."""

import os
import sys

# Torch's threads wait for each other asleep, which is faster beside other work. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from swapae.apps.page.launch import main

if __name__ == "__main__":
    sys.exit(main({arguments}))
'''

README = """---
{data}
---

# swapae

Give it two photographs and it draws the structure of one in the texture of the other, in one forward pass. This is the
Swapping Autoencoder of Park et al. ([NeurIPS 2020](https://arxiv.org/abs/2007.00653)) in PyTorch, with {about}.

A network makes these pictures: they are not evidence of anything. Each PNG says so in its metadata, which also hold the
recipe that made it. Uploads are deleted after about two hours.

Code: Apache-2.0. The example photographs are CC BY 2.0 or CC0, by the people named in swapae/examples/attribution.csv.
`swapae space push` wrote this file and overwrites it with each update.
"""
