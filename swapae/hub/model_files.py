"""Model folders and the Hugging Face Hub: find the files of a model, read and write them safely, describe it.

A model folder holds config.json, model.safetensors and README.md (its card). What is read may come from
anyone: all of it is checked, and nothing in it is run.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import CommitOperationAdd, HfApi, ModelCard, ModelCardData, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from swapae.config import Config, SwapAEConfig, config_from_dict
from swapae.errors import UserError, first_line
from swapae.files import atomic_path

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
EMBEDDED = Path(__file__).parents[1] / "weights"
# Stands for the repository in a card until the model is pushed.
PLACEHOLDER = "owner/name"
# Ends the cards that we wrote; only those are written over.
CARD_MARK = "<!-- Written by swapae anew at every save: delete this line to keep a text of your own. -->"


Network = TypeVar("Network", bound=nn.Module)


class ModelError(UserError):
    """A model that cannot be found, read or uploaded."""


# ---------------------------------------------------------------- finding


def model_files(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    also: Sequence[str] = (),
) -> tuple[Path, Path]:
    """Paths of a model's config.json and model.safetensors, from a folder or the Hub's cache.

    Files of the names `also` come along into the same folder, where there are any.

    Raises:
        ModelError: saying what could not be found or reached, and what to do.
    """
    repo = os.fspath(name)
    where = f"{repo!r} at revision {revision!r}" if revision else repr(repo)
    if os.path.isdir(repo):
        folder, remedy = Path(repo), "give a folder that swapae saved or converted"
    elif os.path.exists(repo):
        raise ModelError(f"{where} is a file; give the folder that holds {CONFIG_FILE} and {WEIGHTS_FILE}")
    else:
        folder = download(repo, where, revision, token, local_files_only, (CONFIG_FILE, WEIGHTS_FILE, *also))
        remedy = "give a repository that swapae pushed"
    config, weights = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    if missing := [path.name for path in (config, weights) if not path.is_file()]:
        raise ModelError(f"{where} is no swapae model, it lacks {' and '.join(missing)}; {remedy}")
    return config, weights


def download(
    repo: str,
    where: str,
    revision: str | None,
    token: str | bool | None,
    local_files_only: bool,
    names: Sequence[str],
) -> Path:
    """Bring files of a Hub model into the cache; returns their folder there. `where` names it in errors."""
    try:
        # Not hf_hub_download, which retries for 23 seconds offline; nor the mixin, which hides what failed.
        snapshot = snapshot_download(
            repo,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            allow_patterns=list(names),
        )
    except HFValidationError:
        raise ModelError(f"{where}: no such folder, and not a Hub name either ({PLACEHOLDER})") from None
    except GatedRepoError:
        raise ModelError(f"{where}: ask for access on its Hub page, then sign in or give token=") from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"{where}: no such folder, and no such model on the Hub; check the name, or give token="
        ) from None
    except RevisionNotFoundError:
        raise ModelError(f"{where} does not exist; give a branch, a tag or a full commit hash") from None
    except LocalEntryNotFoundError as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise ModelError(f"{where} cannot be downloaded: {refusal(error.__cause__)}") from None
        reason = "only local files may be used" if local_files_only else "the Hub cannot be reached"
        raise ModelError(
            f"{where}: no such folder, not in the cache, and {reason}; go online once, or give a folder"
        ) from None
    except (HTTPError, OSError) as error:
        raise ModelError(f"{where} cannot be downloaded: {refusal(error)}") from None
    return Path(snapshot)


def upload(
    folder: str,
    repo: str,
    commit_message: str,
    *,
    private: bool | None,
    token: str | None,
    branch: str | None,
) -> str:
    """Push a model folder, its card naming the repository; both it and a branch are made if missing.

    Returns:
        The commit's address.

    Raises:
        ModelError: not allowed, or unreachable.
    """

    def files(repo: str) -> dict[str, bytes | Path]:
        card = Path(folder, CARD_FILE).read_text(encoding="utf-8").replace(PLACEHOLDER, repo)
        return {CARD_FILE: card.encode()} | {name: Path(folder, name) for name in (CONFIG_FILE, WEIGHTS_FILE)}

    return upload_files(files, repo, commit_message, private=private, token=token, branch=branch)


def upload_files(
    files: Callable[[str], Mapping[str, bytes | Path]],
    repo: str,
    commit_message: str,
    *,
    private: bool | None,
    token: str | None,
    branch: str | None,
) -> str:
    """As `upload`, for files by their names, which may depend on the repository's full one."""
    api = HfApi(token=token)
    with uploading(repo):
        repo = api.create_repo(repo, private=private, exist_ok=True).repo_id
        if branch is not None:
            api.create_branch(repo, branch=branch, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in files(repo).items()]
        return api.create_commit(repo, operations, commit_message=commit_message, revision=branch)


@contextmanager
def uploading(repo: str) -> Iterator[None]:
    """Turn what the Hub's client raises inside into a ModelError about the repository."""
    try:
        yield
    except HFValidationError:
        raise ModelError(f"{repo!r} is not a Hub name; give {PLACEHOLDER}") from None
    except (HTTPError, OSError) as error:
        raise ModelError(f"cannot upload to {repo!r}: {refusal(error)}") from None


def refusal(error: Exception) -> str:
    """Why the Hub did not do as asked, and what to do about it."""
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if status == 401:
        return "the Hub knows no such token; sign in with `hf auth login`, or give token="
    if status == 403:
        return "this token may not do that; give your own name, or a token with the permission"
    return f"{first_line(error)}; check the connection and try again"


# ---------------------------------------------------------------- files


def read_config(path: Path, kind: type[Config]) -> Config:
    """Parse a configuration, refusing unknown and missing keys.

    Raises:
        ModelError: naming the key or the damage.
    """
    name = repr(str(path))
    try:
        return config_from_dict(kind, json.loads(path.read_text(encoding="utf-8")), name)
    except UserError:
        raise
    except (OSError, ValueError, RecursionError, OverflowError) as error:
        raise ModelError(
            f"{name} is not readable as JSON ({first_line(error)}); download or convert it again"
        ) from None


def load_network(make: Callable[[], Network], path: Path) -> Network:
    """Make a network and copy every tensor of a safetensors file into it, none missing, none left over.

    Raises:
        ModelError: naming the tensors that do not fit, or the damage.
    """
    loaded, _ = read_tensors(path, remedy="download or convert it again")
    try:
        network = make()
    except (OverflowError, RuntimeError, TypeError, MemoryError):  # sizes that do not fit in memory, or a number
        raise ModelError(f"the configuration beside {str(path)!r} asks for sizes that no network has") from None
    expected = network.state_dict()
    problems = [f"missing {name}" for name in expected if name not in loaded]
    problems += [f"unexpected {name!r}" for name in loaded if name not in expected]
    for name, value in loaded.items():
        if name in expected and value.shape != expected[name].shape:
            problems.append(f"{name} is {list(value.shape)} instead of {list(expected[name].shape)}")
        elif not value.is_floating_point():
            problems.append(f"{name} holds {value.dtype} instead of floating-point numbers")
        elif not torch.isfinite(value.float()).all():
            problems.append(f"{name} holds values that are not finite")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ModelError(
            f"{str(path)!r} is damaged or not of its configuration: {'; '.join(problems[:3])}{more}; "
            "download or convert it again"
        )
    network.load_state_dict(loaded)
    return network


def save_folder(folder: Path, config: SwapAEConfig, weights: Mapping[str, Tensor], card: str) -> None:
    """Write a model folder; whoever reads it meanwhile, or after a failure, finds whole files.

    Raises:
        ModelError: weights that are not finite, which could not be loaded again.
        UserError: the folder cannot be written.
    """
    if broken := [name for name, value in weights.items() if not torch.isfinite(value).all()]:
        raise ModelError(f"cannot save a model whose {broken[0]} is not finite; go back to an earlier one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        readme = folder / CARD_FILE
        keep_card = readme.exists() and CARD_MARK not in readme.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot write the folder {str(folder)!r} ({error.strerror}); give another") from None
    with ExitStack() as files:  # all are written before the first is put in place
        if not keep_card:
            files.enter_context(atomic_path(readme)).write_text(card, encoding="utf-8")
        dump_tensors(files.enter_context(atomic_path(folder / WEIGHTS_FILE)), weights)
        text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
        files.enter_context(atomic_path(folder / CONFIG_FILE)).write_text(text, encoding="utf-8")


def read_tensors(path: str | os.PathLike[str], *, remedy: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors, on the CPU, and metadata of a safetensors file.

    Raises:
        ModelError: missing, damaged or of another format, and `remedy`.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{str(path)!r} is missing, damaged or not safetensors ({first_line(error)}); {remedy}"
        ) from None


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, replacing an older one only once complete.

    Raises:
        UserError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        dump_tensors(temporary, tensors, metadata)


def dump_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a new safetensors file with the permissions that any new file gets; raises OSError."""
    # safetensors stores plain memory: no channels_last.
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.touch()
    mode = path.stat().st_mode  # safetensors' own is 0600
    try:
        save_file(plain, path, {"format": "pt", **(metadata or {})})
    except SafetensorError as error:
        raise OSError(first_line(error)) from None
    path.chmod(mode)


# ---------------------------------------------------------------- card


def model_card(
    data: ModelCardData,
    config: SwapAEConfig,
    parameters: int,
    metrics: Mapping[str, Any],
    title: str,
    about: str,
) -> ModelCard:
    """The README.md of a model folder, see `SwapAE.generate_model_card`; `upload` fills in the repository."""
    return ModelCard.from_template(
        data,
        template_str=CARD,
        repo=PLACEHOLDER,
        mark=CARD_MARK,
        config=config,
        parameters=f"{parameters:,}",
        metrics=metrics,
        title=title,
        about=about,
    )


CARD = """---
{{ card_data }}
---

# Swapping autoencoder{{ ": " ~ title if title else "" }}

Pick two photographs, get the structure of one in the texture of the other, in one forward pass.
A model for the Python package `swapae` after Park et al.,
[Swapping Autoencoder for Deep Image Manipulation](https://arxiv.org/abs/2007.00653)
(NeurIPS 2020).

{{ about or "Trained with `train_accelerate.py`. Whoever publishes this model describes its data here." }}

## Use

```python
from swapae import SwapAE
from swapae.pictures.images import fit, load_image, to_pil

model = SwapAE.from_pretrained("{{ repo }}")
size = ({{ config.image_size }}, {{ config.stride }}, {{ config.minimum_side }})  # short side, multiple, minimum
structure = fit(load_image("structure.jpg"), *size)
texture = fit(load_image("texture.jpg"), *size)
hybrid = model.swap(structure.tensor, texture.tensor, alpha=1.0)
to_pil(hybrid, structure.size).save("hybrid.png")
```

or `swapae swap structure.jpg texture.jpg -o hybrid.png --model {{ repo }}`.

## Numbers

| | |
|---|---|
| trained at | {{ config.image_size }} pixels |
| structure code | {{ config.structure_channels }} channels at 1/{{ config.stride }} of the side |
| texture code | {{ config.texture_channels }} |
| parameters | {{ parameters }} |
{%- for name, value in metrics.items() %}
| {{ name }} | {{ value }} |
{%- endfor %}

{{ mark }}
"""
