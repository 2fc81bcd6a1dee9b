"""`python -m swapae.apps.page.training.command STATUS WORD ...`: `swapae WORD ...`, with its exit status in a file.

So a server that was started anew can tell how the command ended that another one began.
"""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path

from swapae.files import atomic_path


def main() -> int:
    """Run the command; its exit status, 1 for what nobody foresaw."""
    # A server in the background of a shell ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place, *words = sys.argv[1:]
    sys.argv = ["swapae", *words]
    status = 1
    try:
        cli = importlib.import_module("swapae.apps.cli")
        status = cli.main()
    except KeyboardInterrupt:
        status = 130
    finally:
        with atomic_path(Path(place)) as path:
            path.write_text(str(status))
    return status


if __name__ == "__main__":
    sys.exit(main())
