"""Model folders and the Hugging Face Hub: find the files of a model, read them strictly, describe the model.

A model folder holds config.json, model.safetensors and README.md (its card).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from swapae.config import SwapAEConfig, config_from_dict
from swapae.errors import UserError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
EMBEDDED = Path(__file__).parent / "weights"


class ModelError(UserError):
    """A model that cannot be found or read."""


def model_files(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> tuple[Path, Path]:
    """Paths of a model's config.json and model.safetensors, from a folder or the Hub's cache.

    Raises:
        ModelError: saying what could not be found or reached, and what to do.
    """
    folder = Path(name)
    if folder.is_dir():
        for file in (CONFIG_FILE, WEIGHTS_FILE):
            if not (folder / file).is_file():
                raise ModelError(f"{folder}: no {file} in this folder; a model folder holds both it and its weights")
        return folder / CONFIG_FILE, folder / WEIGHTS_FILE
    repo = str(name)
    if folder.exists():
        raise ModelError(f"{repo} is a file; give the folder that holds config.json and model.safetensors")
    where = f"{repo} at revision {revision}" if revision else repo
    try:
        # Not hf_hub_download: offline it retries for 23 seconds, and PyTorchModelHubMixin hides why it failed.
        folder = Path(
            snapshot_download(
                repo,
                revision=revision,
                token=token,
                local_files_only=local_files_only,
                allow_patterns=[CONFIG_FILE, WEIGHTS_FILE],
            )
        )
    except HFValidationError:
        raise ModelError(f"{repo}: no such folder, and not a Hub name either (owner/name)") from None
    except GatedRepoError:
        raise ModelError(f"{repo}: access must be asked for on its Hub page, then give token=") from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"{repo}: no such folder, and no such model on the Hub (check the spelling; a private one needs token=)"
        ) from None
    except RevisionNotFoundError:
        raise ModelError(f"{repo} has no revision {revision}; give a branch, a tag or a full commit hash") from None
    except LocalEntryNotFoundError:
        reason = "local_files_only was given" if local_files_only else "the Hub cannot be reached"
        raise ModelError(f"{where}: not in the local cache, and {reason}; connect once, or give a folder") from None
    except (HTTPError, OSError) as error:
        raise ModelError(f"{where}: cannot be downloaded ({first_line(error)}); try again, or check token=") from None
    config, weights = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    if missing := [path.name for path in (config, weights) if not path.is_file()]:
        raise ModelError(f"{where} is no swapae model: it lacks {' and '.join(missing)}")
    return config, weights


def read_config(path: Path) -> SwapAEConfig:
    """Parse config.json, refusing unknown and missing keys.

    Raises:
        ModelError: naming the key or the damage.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: not readable as JSON ({first_line(error)}); download or convert it again") from None
    return config_from_dict(SwapAEConfig, values, str(path))


def load_weights(module: nn.Module, path: Path) -> None:
    """Copy every tensor of a safetensors file into `module`, none missing, none left over.

    Raises:
        ModelError: naming the tensors that do not fit, or the damage.
    """
    try:
        with safe_open(path, "pt") as file:
            loaded: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: damaged or not safetensors ({first_line(error)}); download or convert it again"
        ) from None
    expected = module.state_dict()
    problems = [f"missing {name}" for name in expected if name not in loaded]
    problems += [f"unexpected {name}" for name in loaded if name not in expected]
    problems += [
        f"{name} has shape {list(loaded[name].shape)} instead of {list(expected[name].shape)}"
        for name in expected
        if name in loaded and loaded[name].shape != expected[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ModelError(f"{path} does not fit its config.json: {'; '.join(problems[:3])}{more}")
    if broken := [name for name, value in loaded.items() if not torch.isfinite(value).all()]:
        raise ModelError(f"{path}: {broken[0]} holds values that are not finite; the file is damaged")
    module.load_state_dict(loaded)


def first_line(error: Exception) -> str:
    """An error's message without line breaks after the first."""
    return (str(error).splitlines() or [type(error).__name__])[0]


CARD = """---
{{ card_data }}
---

# Swapping autoencoder{{ " " ~ title if title else "" }}

Pick two photographs, get the structure of one in the texture of the other, in one forward pass. A model for the
Python package `swapae` after Park et al., [Swapping Autoencoder for Deep Image Manipulation]({{ paper_url }})
(NeurIPS 2020).

{{ about | default("Trained with `train_accelerate.py`. Whoever publishes this model describes its data here.", true) }}

## Use

```python
from swapae import SwapAE
from swapae.images import fit, load_image, to_pil

model = SwapAE.from_pretrained("{{ repo_id | default("owner/name", true) }}")
structure, texture = (
    fit(load_image(path), {{ size }}, {{ stride }}, {{ minimum }}) for path in ("structure.jpg", "texture.jpg")
)
hybrid = model.swap(structure.tensor, texture.tensor, alpha=1.0)
to_pil(hybrid, structure.size).save("hybrid.png")
```

or `swapae swap structure.jpg texture.jpg -o hybrid.png --model {{ repo_id | default("owner/name", true) }}`.

## Numbers

| | |
|---|---|
| trained at | {{ size }} pixels |
| structure code | {{ structure_channels }} channels at 1/{{ stride }} of the side |
| texture code | {{ texture_channels }} |
| parameters | {{ parameters }} |
{%- for name, value in metrics.items() %}
| {{ name }} | {{ value }} |
{%- endfor %}
"""
