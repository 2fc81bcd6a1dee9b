"""The command line: `swapae swap`, `mix`, `regions` and so on. The table of all commands is in `commands.py`."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence

from swapae.apps.cli.parsing import parse
from swapae.errors import Interrupted, UserError
from swapae.release import release

TOO_LARGE = "not enough memory for pictures of this size: use a smaller --size"
QUIET = "--quiet"
# Options of `swapae.train`, which has every setting, and not of the short `swapae train PHOTOGRAPHS`.
FULL_TRAINING = ("--data", "--config")
INTERRUPTED = 130  # what shells report of a program that Ctrl-C ended


def main() -> int:
    """Run a command; exit status 0, or 2 or 130 with one line on stderr."""
    words = sys.argv[1:]
    print_any_name()
    if os.environ.get("NO_COLOR"):
        os.environ["TERM"] = "dumb"  # the one way in which tyro can be asked for plain help
    if words == ["--version"]:
        print(f"swapae {release()}")
        return 0
    if words[:1] == ["train"] and any(word.startswith(FULL_TRAINING) for word in words):
        status, message = full_training(words[1:])
    else:
        status, message = outcome(words)
    if message is not None:
        # Not while the error is alive, which holds on to bars of progress: they end their line first.
        print("swapae: " + " ".join(message.split()), file=sys.stderr)
    return status


def print_any_name() -> None:
    """Let results name any file, where the output's encoding has not all characters or a name is no text at all."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        unicode = sys.stdout.encoding.lower().startswith("utf")
        # A name that is no UTF-8 leaves as the bytes it is, for the next program; others are escaped, as on stderr.
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


def full_training(words: Sequence[str]) -> tuple[int, str | None]:
    """As `outcome`, of `swapae.train`, whose options, gradients and exit are its own.

    No other command imports accelerate.
    """
    try:
        importlib.import_module("swapae.data.picture_files").import_optional("accelerate", "train")
    except UserError as error:
        return 2, str(error)
    return importlib.import_module("swapae.train").main(words), None


def outcome(words: Sequence[str]) -> tuple[int, str | None]:
    """Run a command; the exit status, and what went wrong that a user can act on."""
    try:
        with contextlib.ExitStack() as until_done:
            if QUIET in words:
                nowhere = until_done.enter_context(open(os.devnull, "w", encoding="utf-8"))
                until_done.enter_context(contextlib.redirect_stderr(nowhere))
            run(parse([word for word in words if word != QUIET]))
    except BrokenPipeError:  # `swapae --help | head`: who reads has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0, None
    except SystemExit:  # after --help
        return 0, None
    except Interrupted as error:
        return INTERRUPTED, str(error)
    except UserError as error:
        return 2, str(error)
    except MemoryError:
        return 2, TOO_LARGE
    except RuntimeError as error:
        if "memory" not in str(error):  # torch's complaints have no class in common
            raise
        return 2, TOO_LARGE
    except KeyboardInterrupt:
        return INTERRUPTED, "interrupted; nothing was written"
    return 0, None


def run(command: Callable[[], None]) -> None:
    """Run a command without gradients."""
    # Here because importing torch takes over a second, which help and mistakes should not wait for.
    inference_mode = importlib.import_module("torch").inference_mode
    with inference_mode():
        command()
