"""ONNX Runtime for browsers: the files of the npm package onnxruntime-web that the page needs, which come from npm."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from swapae.errors import UserError, first_line

PACKAGE = "onnxruntime-web"
# The one that the page was tested with.
RUNTIME_VERSION = "1.30.0"
DESCRIPTION = "package.json"
# The variant that computes on the CPU alone, which is half as large as those that know GPUs too.
WASM = "ort-wasm-simd-threaded.wasm"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", WASM)
LIMIT_S = 600  # for npm


@contextmanager
def open_runtime(folder: Path | None) -> Iterator[Path]:
    """Yield a folder that holds the package's `DESCRIPTION` and dist/ with `FILES`: `folder`, or downloaded by npm.

    Raises:
        UserError: `folder` is none, or npm is not installed or fails.
    """
    if folder is not None:
        check_runtime(folder)
        yield folder
        return
    with TemporaryDirectory() as temporary:
        fetch_runtime(Path(temporary) / PACKAGE)
        yield Path(temporary) / PACKAGE


def check_runtime(folder: Path) -> None:
    """Raise UserError unless a folder is the unpacked package."""
    wanted = f"give the unpacked npm package {PACKAGE}, such as node_modules/{PACKAGE}"
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        name = description.get("name")
    except (OSError, ValueError, AttributeError):
        raise UserError(f"--runtime {str(folder)!r} holds no npm package: {wanted}") from None
    if name != PACKAGE:
        raise UserError(f"--runtime {str(folder)!r} is the npm package {name!r}: {wanted}")
    if missing := [file for file in FILES if not (folder / "dist" / file).is_file()]:
        raise UserError(f"--runtime {str(folder)!r} lacks dist/{missing[0]}: {wanted} of version {RUNTIME_VERSION}")


def fetch_runtime(folder: Path) -> None:
    """Download the package by npm, whose settings name the registry, and unpack what is used into a new folder.

    Raises:
        UserError: npm is not installed, or fails.
    """
    remedy = f"unpack the npm package {PACKAGE} {RUNTIME_VERSION} yourself and give its folder as --runtime"
    fetch_package(PACKAGE, RUNTIME_VERSION, (DESCRIPTION, *(f"dist/{file}" for file in FILES)), folder, remedy)


def fetch_package(package: str, version: str, names: Sequence[str], folder: Path, remedy: str) -> None:
    """Download a package by npm, and unpack files of it into a new folder.

    Args:
        package, version: on npm.
        names: of the files, within the package.
        folder: to make.
        remedy: what to do where there is no npm, in words.

    Raises:
        UserError: npm is not installed, or fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"the page needs {package}, which npm downloads, and npm is not installed: install it, or {remedy}"
        )
    with TemporaryDirectory() as temporary:
        command = [npm, "pack", "--silent", "--pack-destination", temporary, f"{package}@{version}"]
        try:
            done = subprocess.run(command, cwd=temporary, capture_output=True, text=True, timeout=LIMIT_S)
            reason = "" if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = first_line(error)
        if reason:
            raise UserError(f"npm cannot download {package} {version} ({reason.splitlines()[-1]:.200}): {remedy}")
        (archive,) = Path(temporary).glob("*.tgz")
        with tarfile.open(archive) as files:
            for name in names:
                member = files.extractfile(f"package/{name}")
                assert member is not None  # they are plain files
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with (folder / name).open("wb") as copy:
                    shutil.copyfileobj(member, copy)


def version_of(folder: Path) -> str:
    """The version of an unpacked package."""
    return str(json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")).get("version"))
