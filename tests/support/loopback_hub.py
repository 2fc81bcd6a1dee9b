"""A small Hugging Face Hub on 127.0.0.1: the real client's uploads and downloads, tested over real HTTP.

It answers what huggingface_hub 2 asks to create a repository, upload a folder (small files inside the commit,
large ones by LFS), list, and download at any revision, with the Hub's own status codes and error headers.
All is held in memory. HF_ENDPOINT is read when huggingface_hub is imported, so clients run as subprocesses:

    with LoopbackHub() as hub:
        subprocess.run([sys.executable, "-c", code], env=hub.environment(tmp_path), check=True)
        assert hub.repos["tester/model"].files()["config.json"] == ...

Left out: pull requests, tags, Xet, multi-part uploads, downloads in ranges, folders in listings.
"""

import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")  # what a new repository's .gitattributes sends to LFS
REGULAR_LIMIT = 10 * 2**20  # bytes; a larger file must go by LFS whatever its name


class Refusal(Exception):
    """A request answered by an error: the client chooses its exception by the status and X-Error-Code."""

    def __init__(self, status: int, message: str, code: str = "", commit: str = "", **answer: str) -> None:
        super().__init__(message)
        self.status = status
        self.answer = {"error": message, **answer}
        headers = {"X-Error-Message": message, "X-Error-Code": code, "X-Repo-Commit": commit}
        self.headers = {name: value for name, value in headers.items() if value}


class FileReply(NamedTuple):
    """A file to answer with, where other requests are answered with JSON."""

    content: bytes
    headers: dict[str, str]


def is_lfs(path: str, size: int) -> bool:
    return size > REGULAR_LIMIT or (size > 0 and path.endswith(LFS_SUFFIXES))


def content_id(path: str, content: bytes) -> str:
    """SHA-256 for an LFS file, git's blob id for another: by these the client knows what it has already."""
    if is_lfs(path, len(content)):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


@dataclass
class Repo:
    """A model, dataset or Space: every commit with all its files, and the branches that point at commits."""

    private: bool = False
    gated: bool = False  # can be seen, but its files are refused to everyone
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> str:
        commit = self.branches.get(revision, revision)
        if commit not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return self.commits[self.resolve(revision)]

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Make `files` all that `branch` holds; returns the commit's hash."""
        listing = sorted((path, content_id(path, content)) for path, content in files.items())
        commit = hashlib.sha1(repr((len(self.commits), listing)).encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.branches[branch] = commit
        return commit


class LoopbackHub:
    """The server, running inside `with` until its end or `close`, and all it holds.

    Attributes:
        url: what HF_ENDPOINT must be.
        token: the one valid token, its user's name is `user`; writing and private repositories need it.
        repos: by name as in the Hub's addresses: "tester/model", "spaces/tester/demo".
        requests: every request so far, as "GET /api/whoami-v2".

    """

    def __init__(self, user: str = "tester") -> None:
        self.user = user
        self.token = "hf_" + secrets.token_hex(16)
        self.repos: dict[str, Repo] = {}
        self.lfs: dict[str, bytes] = {}  # uploaded contents by SHA-256
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.hub = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "LoopbackHub":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering: clients see a refused connection, as without network."""
        self.server.shutdown()
        self.server.server_close()

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """This process's environment turned to this Hub; caches under `home`; an empty `token` signs out."""
        ours = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": self.token if token is None else token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1",
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | ours


class Handler(BaseHTTPRequestHandler):
    """Answers by the first line of ROUTES that matches the request; its named groups become the arguments.

    HTTP/1.0, one request a connection: a kept one would still be answered after `LoopbackHub.close`.
    """

    server: Any

    def answer(self) -> None:
        self.hub: LoopbackHub = self.server.hub
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers = 200, {"Content-Type": "application/json"}
        with self.hub.lock:
            self.hub.requests.append(f"{self.command} {self.path}")
            try:
                result = self.route()
            except Refusal as refusal:
                status, result = refusal.status, refusal.answer
                headers |= refusal.headers
        if isinstance(result, FileReply):
            content, headers = result
        else:
            content = json.dumps(result).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def log_message(self, *_: object) -> None:
        """Print nothing: `LoopbackHub.requests` is the log."""

    def route(self) -> Any:
        self.signed_in = self.headers.get("Authorization") == f"Bearer {self.hub.token}"
        if "Authorization" in self.headers and not self.signed_in:
            raise Refusal(401, "Invalid credentials in Authorization header")
        for methods, pattern, function in ROUTES:
            match = re.fullmatch(pattern, urlsplit(self.path).path)
            if match and self.command in methods:
                return function(self, **{name: unquote(text or "") for name, text in match.groupdict().items()})
        raise Refusal(501, f"the loopback Hub has no {self.command} {self.path}")

    def require_token(self, code: str = "") -> None:
        if not self.signed_in:
            raise Refusal(401, "Invalid username or password.", code)

    def repo(self, kind: str, name: str, *, write: bool = False) -> Repo:
        """Find a repository; a private one is as good as missing to those who may not read it."""
        if write:  # the client takes a 401 on an https address for this code, so on http it must be said
            self.require_token("RepoNotFound")
        repo = self.hub.repos.get(address(kind, name))
        if repo is None or (repo.private and not self.signed_in):
            raise Refusal(404 if self.signed_in else 401, "Repository not found", "RepoNotFound")
        return repo

    def whoami(self) -> Any:
        self.require_token()
        return {"type": "user", "name": self.hub.user, "orgs": []}

    def validate_yaml(self) -> Any:
        card = json.loads(self.body)["content"]
        warning = {"message": "empty or missing yaml metadata in repo card"}
        return {"errors": [], "warnings": [] if card.startswith("---\n") else [warning]}

    def create(self) -> Any:
        self.require_token()
        wanted = json.loads(self.body)
        owner = wanted.get("organization") or self.hub.user
        if owner != self.hub.user:
            raise Refusal(403, f"You don't have the rights to create a repository under {owner}")
        name = address(wanted.get("type", "model") + "s", f"{owner}/{wanted['name']}")
        url = f"{self.hub.url}/{name}"
        if name in self.hub.repos:
            raise Refusal(409, "You already created this repo", url=url)
        self.hub.repos[name] = Repo(private=wanted.get("visibility") == "private")
        self.hub.repos[name].commit({".gitattributes": "".join(f"*{s} filter=lfs\n" for s in LFS_SUFFIXES).encode()})
        return {"url": url}

    def info(self, kind: str, name: str, revision: str) -> Any:
        repo = self.repo(kind, name)
        commit = repo.resolve(revision or "main")
        siblings = [{"rfilename": path} for path in sorted(repo.commits[commit])]
        return {"id": name, "sha": commit, "private": repo.private, "tags": [], "siblings": siblings}

    def tree(self, kind: str, name: str, revision: str) -> Any:
        entries = []
        for path, content in sorted(self.repo(kind, name).files(revision).items()):
            entry = {"type": "file", "path": path, "size": len(content), "oid": content_id(path, content)}
            if is_lfs(path, len(content)):
                entry["lfs"] = {"oid": entry["oid"], "size": len(content), "pointerSize": 134}
            entries.append(entry)
        return entries

    def branch(self, kind: str, name: str, branch: str) -> Any:
        repo = self.repo(kind, name, write=True)
        if branch in repo.branches:
            raise Refusal(409, f"Reference already exists: {branch}")
        repo.branches[branch] = repo.resolve(json.loads(self.body or b"{}").get("startingPoint", "main"))
        return {}

    def preupload(self, kind: str, name: str, revision: str) -> Any:
        """Say of each file how it must be uploaded, and what the branch holds by that name now."""
        held = self.repo(kind, name, write=True).files(revision)
        return {
            "files": [
                {
                    "path": path,
                    "uploadMode": "lfs" if is_lfs(path, file["size"]) else "regular",
                    "shouldIgnore": False,
                    "oid": content_id(path, held[path]) if path in held else None,
                }
                for file in json.loads(self.body)["files"]
                for path in [file["path"]]
            ]
        }

    def lfs_batch(self, kind: str, name: str) -> Any:
        self.repo(kind, name, write=True)
        objects = json.loads(self.body)["objects"]
        for entry in objects:
            if entry["oid"] not in self.hub.lfs:  # one held already needs no upload
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{entry['oid']}"}}
        return {"transfer": "basic", "objects": objects}

    def lfs_put(self, oid: str) -> Any:
        """Take an upload without a token, as the storage behind the Hub does with its signed addresses."""
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refusal(400, "the content does not have the announced SHA-256")
        self.hub.lfs[oid] = self.body
        return {}

    def commit(self, kind: str, name: str, revision: str) -> Any:
        repo = self.repo(kind, name, write=True)
        files = dict(repo.files(revision))
        for line in self.body.splitlines():
            key, value = json.loads(line).values()
            path = value.get("path", "")
            if key == "file":
                files[path] = base64.b64decode(value["content"])
            elif key == "lfsFile" and value["oid"] in self.hub.lfs:
                files[path] = self.hub.lfs[value["oid"]]
            elif key == "deletedFile" and path in files:
                del files[path]
            elif key != "header":
                raise Refusal(400, f"cannot apply {key} {path}")
        commit = repo.commit(files, revision)
        return {"commitOid": commit, "commitUrl": f"{self.hub.url}/{address(kind, name)}/commit/{commit}"}

    def file(self, kind: str, name: str, revision: str, path: str) -> FileReply:
        repo = self.repo(kind, name)
        commit = repo.resolve(revision)
        if repo.gated:
            raise Refusal(403 if self.signed_in else 401, "Access to this repository is restricted", "GatedRepo")
        if path not in repo.commits[commit]:
            raise Refusal(404, "Entry not found", "EntryNotFound", commit=commit)
        content = repo.commits[commit][path]
        return FileReply(content, {"ETag": f'"{content_id(path, content)}"', "X-Repo-Commit": commit})


def address(kind: str, name: str) -> str:
    """Return a repository's path on the site: only models have no prefix."""
    return name if kind in ("", "models") else f"{kind.strip('/')}/{name}"


NAME = r"(?P<name>[^/]+(?:/[^/]+)?)"
API = rf"/api/(?P<kind>models|datasets|spaces)/{NAME}"
SITE = rf"/(?P<kind>datasets/|spaces/|){NAME}"
REVISION = r"(?P<revision>[^/]+)"
ROUTES = [
    (["GET"], r"/api/whoami-v2", Handler.whoami),
    (["POST"], r"/api/validate-yaml", Handler.validate_yaml),
    (["POST"], r"/api/repos/create", Handler.create),
    (["GET"], rf"{API}/tree/{REVISION}", Handler.tree),
    (["GET"], rf"{API}(/revision/{REVISION})?", Handler.info),
    (["POST"], rf"{API}/branch/(?P<branch>[^/]+)", Handler.branch),
    (["POST"], rf"{API}/preupload/{REVISION}", Handler.preupload),
    (["POST"], rf"{API}/commit/{REVISION}", Handler.commit),
    (["POST"], rf"{SITE}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    (["PUT"], r"/lfs/(?P<oid>[0-9a-f]{64})", Handler.lfs_put),
    (["GET", "HEAD"], rf"{SITE}/resolve/{REVISION}/(?P<path>.+)", Handler.file),
]


def result_of(
    code: str, hub: LoopbackHub, folder: Path, *, home: str = "home", token: str | None = None, **variables: str
) -> Any:
    """Run code in a fresh process in `folder`, on `hub`, its cache in `home`; through JSON, its variable `result`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}\njson.dump(result, sys.stdout)"],
        env=hub.environment(folder / home, token) | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
