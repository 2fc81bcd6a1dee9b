"""The command line: `swapae swap`, `mix`, `regions` and so on, all in the tables `COMMANDS` and `GROUPS`."""

from __future__ import annotations

import functools
import importlib
import operator
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
import tyro

from swapae.apps.cli.checkpoints import convert
from swapae.apps.cli.data import check_data, draw_data
from swapae.apps.cli.directions import (
    add_to_directions,
    apply_directions,
    list_directions,
    make_direction,
    push_directions,
)
from swapae.apps.cli.embed import embed
from swapae.apps.cli.evaluate import evaluate, make_pairs
from swapae.apps.cli.export import export
from swapae.apps.cli.motion import interpolate_textures, journey, sweep
from swapae.apps.cli.pictures import decode, encode, grid, reconstruct
from swapae.apps.cli.regions import regions, select_region
from swapae.apps.cli.replay import replay, show_recipe
from swapae.apps.cli.space import push_space
from swapae.apps.cli.structure import join, move, outpaint, paste
from swapae.apps.cli.study import report, study
from swapae.apps.cli.texture import mix, swap, translate_domain
from swapae.apps.cli.video import restyle_video
from swapae.arguments import parse_arguments
from swapae.errors import UserError
from swapae.release import release

TOO_LARGE = "not enough memory for pictures of this size: use a smaller --size"

COMMANDS: dict[str, Callable[..., None]] = {
    "swap": swap,
    "mix": mix,
    "translate": translate_domain,
    "regions": regions,
    "select": select_region,
    "paste": paste,
    "move": move,
    "join": join,
    "outpaint": outpaint,
    "reconstruct": reconstruct,
    "encode": encode,
    "embed": embed,
    "decode": decode,
    "grid": grid,
    "interpolate": interpolate_textures,
    "journey": journey,
    "sweep": sweep,
    "restyle": restyle_video,
    "replay": replay,
    "recipe": show_recipe,
    "convert": convert,
    "evaluate": evaluate,
    "export": export,
}
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "data": ("Training data.", {"check": check_data, "draw": draw_data}),
    "pairs": ("Lists of pairs of photographs to compare.", {"make": make_pairs}),
    "direction": (
        "Directions in which textures can be edited.",
        {
            "make": make_direction,
            "add": add_to_directions,
            "list": list_directions,
            "apply": apply_directions,
            "push": push_directions,
        },
    ),
    "space": ("The page as a Hugging Face Space.", {"push": push_space}),
    "study": ("Human studies of hybrids.", {"serve": study, "report": report}),
}
# Of these groups the command may be left out: `swapae study --real ...` is `swapae study serve --real ...`.
LEFT_OUT = {"study": "serve"}


def main() -> int:
    """Run a command; exit status 0, or 2 with one line on stderr."""
    if sys.argv[1:] == ["--version"]:
        print(f"swapae {release()}")
        return 0
    if sys.argv[1:2] == ["train"]:
        # Its options, its gradients and its exit are its own; accelerate is not imported for other commands.
        return importlib.import_module("swapae.train").main(sys.argv[2:])
    message = failure()
    # Not while the error is alive, which holds on to bars of progress: they end their line first.
    return 0 if message is None else complain(message)


def failure() -> str | None:
    """Run a command; what went wrong that a user can act on, None if nothing did."""
    try:
        command = parse_arguments(parse)
        with torch.inference_mode():
            command()
    except SystemExit:  # after --help
        return None
    except UserError as error:
        return str(error)
    except (MemoryError, torch.OutOfMemoryError):
        return TOO_LARGE
    except RuntimeError as error:
        if "memory" not in str(error):  # the CPU allocator's complaint has no class of its own
            raise
        return TOO_LARGE
    except KeyboardInterrupt:
        return "interrupted; nothing was written"
    return None


def parse() -> Callable[[], None]:
    """The command to run, with its arguments bound."""

    def deferred(function: Callable[..., None]) -> Callable[..., Callable[[], None]]:
        @functools.wraps(function)
        def bind(*args: object, **kwargs: object) -> Callable[[], None]:
            return functools.partial(function, *args, **kwargs)

        return bind

    def group(about: str, commands: Mapping[str, Callable[..., None]]) -> Callable[..., Callable[[], None]]:
        def choose(command: Any) -> Callable[[], None]:
            return command

        choose.__doc__ = about
        # Tyro's stubs call an alias what is an object: it also takes types that are put together as the program runs.
        choose.__annotations__["command"] = tyro.conf.OmitSubcommandPrefixes[  # type: ignore[misc]
            functools.reduce(
                operator.or_,
                (
                    Annotated[Any, tyro.conf.subcommand(name, constructor=deferred(function))]
                    for name, function in commands.items()
                ),
                # A union, of which the command is one choice, needs another.
                Annotated[None, tyro.conf.Suppress],
            )
        ]
        return choose

    words = sys.argv[1:]
    if words and words[0] in LEFT_OUT and (len(words) == 1 or words[1].startswith("-")):
        words.insert(1, LEFT_OUT[words[0]])
    return tyro.extras.subcommand_cli_from_dict(
        {name: deferred(function) for name, function in COMMANDS.items()}
        | {name: group(*described) for name, described in GROUPS.items()},
        args=words,
        prog="swapae",
        description="The structure of one photograph in the texture of another, in one forward pass. To train a model: "
        "swapae train --help.",
    )


def complain(message: str) -> int:
    """Print one line on stderr; exit status 2."""
    print("swapae: " + " ".join(message.split()), file=sys.stderr)
    return 2
