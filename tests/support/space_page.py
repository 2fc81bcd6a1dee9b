"""A Space's folder served as a Space serves it: `python app.py` in a process of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@contextlib.contextmanager
def served(folder: Path, environment: Mapping[str, str], end: signal.Signals = signal.SIGTERM) -> Iterator[str]:
    """The address of the page, once it answers and until the signal `end`; PYTHONPATH is what `environment` says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ours = {"PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=folder, env={**inherited, **ours, **environment}, stdout=log, stderr=log
        )
        url = f"http://127.0.0.1:{port}/"
        try:
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{url}config").close()
                    break
                assert process.poll() is None, (folder / "log.txt").read_text()
                time.sleep(0.1)
            yield url
        finally:
            process.send_signal(end)
            process.wait()
