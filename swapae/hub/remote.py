"""Models by name: found in a folder or on the Hugging Face Hub, and pushed to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from huggingface_hub import CommitOperationAdd, HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from swapae.errors import ModelError, first_line
from swapae.hub.card import PLACEHOLDER
from swapae.hub.folders import (
    CARD_FILE,
    CONFIG_FILE,
    INDEX_FILE,
    PICKLE_FILE,
    SHARDS,
    WEIGHTS_FILE,
    embedded,
    embedded_names,
)

logger = logging.getLogger(__name__)


def model_files(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    also: Sequence[str] = (),
    subfolder: str = "",
) -> tuple[Path, Path]:
    """Paths of a model's config.json and of its weights: of a folder, of the package, or of the Hub's cache.

    The weights are model.safetensors, or the index of weights in several files. Files of the names `also` come along
    into the same folder, where there are any.

    Raises:
        ModelError: saying what could not be found or reached, and what to do.
    """
    repo = os.fspath(name)
    where = f"{repo!r} at revision {revision!r}" if revision else repr(repo)
    if PurePosixPath(subfolder).is_absolute() or ".." in PurePosixPath(subfolder).parts:
        raise ModelError(f"subfolder={subfolder!r} leads out of {where}: give a folder within")
    own = embedded_names()
    if os.path.isdir(repo):
        if repo in own:
            logger.warning("%s: the folder of that name here, not the model that comes with swapae", where)
        folder, remedy = Path(repo, subfolder), "give a folder that swapae saved or converted"
    elif repo in own:
        folder, remedy = embedded(repo) / subfolder, "leave out the subfolder"
    elif os.path.exists(repo):
        raise ModelError(f"{where} is a file; give the folder that holds {CONFIG_FILE} and {WEIGHTS_FILE}")
    elif "/" not in repo:
        raise ModelError(
            f"{where}: no such folder, and not a Hub name either ({PLACEHOLDER}); models that come with swapae are: "
            f"{', '.join(own)}"
        )
    else:
        names = [str(PurePosixPath(subfolder, file)) for file in (CONFIG_FILE, WEIGHTS_FILE, INDEX_FILE, SHARDS, *also)]
        folder = download(repo, where, revision, token, local_files_only, names) / subfolder
        remedy = "give a repository that swapae pushed"
    where += f", subfolder {subfolder!r}," if subfolder else ""
    config, weights = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    if not weights.is_file() and (folder / INDEX_FILE).is_file():
        weights = folder / INDEX_FILE
    if not weights.is_file() and (folder / PICKLE_FILE).is_file():
        raise ModelError(
            f"{where} has its weights in {PICKLE_FILE}, a pickle, which may run code and is not read: "
            f"swapae convert {folder / PICKLE_FILE} OUT reads only tensors, and makes a folder to give"
        )
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
    files: Callable[[str], Mapping[str, bytes | Path]],
    repo: str,
    commit_message: str,
    *,
    private: bool | None,
    token: str | None,
    branch: str | None,
) -> str:
    """Push files to a model's repository; both it and a branch are made if missing.

    Args:
        files: by their names there, which may depend on the repository's full name; such as of `folder_files`.
        repo: "owner/name", or a name of one's own.
        commit_message, private, token, branch: as of `SwapAE.push_to_hub`.

    Returns:
        The commit's address.

    Raises:
        ModelError: not allowed, or unreachable.
    """
    api = HfApi(token=token)
    with uploading(repo):
        repo = api.create_repo(repo, private=private, exist_ok=True).repo_id
        if branch is not None:
            api.create_branch(repo, branch=branch, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in files(repo).items()]
        return api.create_commit(repo, operations, commit_message=commit_message, revision=branch)


def folder_files(folder: str, repo: str) -> dict[str, bytes | Path]:
    """The files of a model folder for `upload`, the card naming the repository."""
    card = Path(folder, CARD_FILE).read_text(encoding="utf-8").replace(PLACEHOLDER, repo)
    return {CARD_FILE: card.encode()} | {name: Path(folder, name) for name in (CONFIG_FILE, WEIGHTS_FILE)}


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
