"""The loopback Hub serves huggingface_hub itself: uploads, downloads, caches, and the right errors."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import LoopbackHub, Repo, result_of

CARD = b"---\nlicense: apache-2.0\n---\n# A model\n"
Client = Callable[..., Any]


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Client:
    """Run code with huggingface_hub in a process of its own; returns, through JSON, its variable `result`."""

    def run(code: str) -> Any:
        code = (
            "import json, os, sys\nfrom huggingface_hub import *\nfrom huggingface_hub import errors\n"
            "def error(function, *args, **options):\n"
            "    try:\n        function(*args, **options)\n"
            "    except Exception as caught:\n        return [c.__name__ for c in type(caught).__mro__]\n"
            f"{code}"
        )
        return result_of(code, hub, tmp_path, PYTHONWARNINGS="error::UserWarning")

    return run


def test_a_folder_goes_up_and_comes_down_at_every_revision(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "README.md").write_bytes(CARD)
    (folder / "config.json").write_text('{"version": 1}')
    large = os.urandom(12_000_000)
    (folder / "large.dat").write_bytes(large)
    result = client("""
api = HfApi()
url = api.create_repo("tester/model", private=True)
first = api.upload_folder(repo_id="tester/model", folder_path="folder")
open("folder/config.json", "w").write('{"version": 2}')
second = api.upload_folder(repo_id="tester/model", folder_path="folder")
read = lambda **options: open(hf_hub_download("tester/model", "config.json", **options)).read()
snapshot = lambda revision: snapshot_download("tester/model", revision=revision)
again = error(api.create_repo, "tester/model")
api.create_repo("tester/model", exist_ok=True)
result = dict(
    url=url, me=api.whoami()["name"], first=first.oid, second=second.oid, again=again,
    private=api.model_info("tester/model").private, files=list_repo_files("tester/model"),
    latest=read(), old=read(revision=first.oid),
    snapshots=[snapshot("main"), snapshot(first.oid)],
)
""")
    assert result["url"] == f"{hub.url}/tester/model"
    assert result["me"] == "tester"
    assert result["private"] is True
    assert result["files"] == [".gitattributes", "README.md", "config.json", "large.dat"]
    assert (result["latest"], result["old"]) == ('{"version": 2}', '{"version": 1}')
    assert "HfHubHTTPError" in result["again"]
    for snapshot, version in zip(result["snapshots"], (2, 1), strict=True):
        assert json.loads(Path(snapshot, "config.json").read_text()) == {"version": version}
        assert Path(snapshot, "large.dat").read_bytes() == large

    repo = hub.repos["tester/model"]
    assert list(repo.commits)[1:] == [result["first"], result["second"]]
    assert repo.files()["README.md"] == CARD
    assert sum(request.startswith("PUT /lfs/") for request in hub.requests) == 1  # unchanged, so sent once


@pytest.mark.slow
def test_a_second_download_is_served_from_the_cache(hub: LoopbackHub, client: Client) -> None:
    repo = hub.repos["tester/model"] = Repo()
    repo.commit({"model.safetensors": b"weights"})
    download = "result = [hf_hub_download('tester/model', 'model.safetensors') for _ in range(2)]"
    first, second = client(download)
    assert first == second
    assert Path(first).read_bytes() == b"weights"
    assert sum(request.startswith("GET /tester/model/resolve") for request in hub.requests) == 1

    repo.commit({"model.safetensors": b"better weights"})
    assert Path(client(download)[0]).read_bytes() == b"better weights"
    hub.close()  # what is cached stays usable
    assert Path(client(download)[0]).read_bytes() == b"better weights"


def test_branches_and_spaces(hub: LoopbackHub, client: Client) -> None:
    result = client("""
api = HfApi()
for kind in ("model", "space"):
    api.create_repo("tester/it", repo_type=kind, space_sdk="gradio" if kind == "space" else None)
    branch = dict(repo_id="tester/it", repo_type=kind, revision="try/1")
    api.create_branch("tester/it", branch="try/1", repo_type=kind)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="app/a.py", **branch)
    api.delete_file("app/a.py", **branch)
    api.upload_file(path_or_fileobj=b"2", path_in_repo="app/b.py", **branch)
path = hf_hub_download("tester/it", "app/b.py", repo_type="space", revision="try/1")
result = [open(path).read(), api.space_info("tester/it", revision="try/1").sha]
""")
    assert result == ["2", hub.repos["spaces/tester/it"].branches["try/1"]]
    for name in ("tester/it", "spaces/tester/it"):
        assert set(hub.repos[name].files("try/1")) == {".gitattributes", "app/b.py"}
        assert set(hub.repos[name].files()) == {".gitattributes"}


def test_what_is_missing_raises_the_hubs_own_errors(hub: LoopbackHub, client: Client) -> None:
    hub.repos = {"tester/model": Repo(), "tester/gated": Repo(gated=True)}
    for repo in hub.repos.values():
        repo.commit({})
    result = client("""
missing = "0" * 40
result = dict(
    repo=error(hf_hub_download, "tester/none", "a"), repo_info=error(model_info, "tester/none"),
    snapshot=error(snapshot_download, "tester/none"), plain_name=error(hf_hub_download, "none", "a"),
    branch=error(hf_hub_download, "tester/model", "a", revision="none"),
    commit=error(hf_hub_download, "tester/model", "a", revision=missing),
    snapshot_branch=error(snapshot_download, "tester/model", revision="none"),
    upload=error(upload_file, repo_id="tester/none", path_or_fileobj=b"", path_in_repo="a"),
    upload_branch=error(
        upload_file, repo_id="tester/model", path_or_fileobj=b"", path_in_repo="a", revision="none"
    ),
    file=error(hf_hub_download, "tester/model", "a"), gated=error(hf_hub_download, "tester/gated", "a"),
    owner=error(create_repo, "somebody/model"),
)
""")
    for case in ("repo", "repo_info", "snapshot", "plain_name", "upload"):
        assert result[case][0] == "RepositoryNotFoundError", case
    for case in ("branch", "commit", "snapshot_branch", "upload_branch"):
        assert result[case][0] == "RevisionNotFoundError", case
    assert result["file"][0] == "RemoteEntryNotFoundError"
    assert "EntryNotFoundError" in result["file"]
    assert result["gated"][0] == "GatedRepoError"
    assert result["owner"][0] == "HfHubHTTPError"


def test_a_private_repository_needs_the_token(hub: LoopbackHub, client: Client) -> None:
    hub.repos["tester/model"] = Repo(private=True)
    hub.repos["tester/model"].commit({"a": b"1"})
    code = """
def attempts(token, name="tester/model"):
    return dict(
        read=error(hf_hub_download, name, "a", token=token)[0],
        info=error(model_info, name, token=token)[0],
        write=error(upload_file, repo_id=name, path_or_fileobj=b"", path_in_repo="b", token=token)[0],
        create=error(create_repo, "tester/other", token=token)[0],
    )
result = attempts(False), attempts("hf_forged"), open(hf_hub_download("tester/model", "a")).read()
"""
    signed_out, forged, content = client(code)
    assert signed_out == {
        "read": "RepositoryNotFoundError",
        "info": "RepositoryNotFoundError",
        "write": "RepositoryNotFoundError",
        "create": "HfHubHTTPError",
    }
    assert set(forged.values()) == {"HfHubHTTPError"}
    assert set(hub.repos) == {"tester/model"}
    assert set(hub.repos["tester/model"].files()) == {"a"}
    assert content == "1"


def test_a_hub_shut_down_is_a_connection_error(hub: LoopbackHub, client: Client) -> None:
    """`hf_hub_download` would raise the same as `snapshot_download`, but after 23 seconds of retries."""
    hub.close()
    result = client("""
calls = (model_info, create_repo, snapshot_download)
result = [error(call, "tester/model")[0] for call in calls]
""")
    assert result == ["ConnectError", "ConnectError", "LocalEntryNotFoundError"]
