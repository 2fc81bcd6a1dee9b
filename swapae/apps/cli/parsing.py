"""The words of a command line to a function with its arguments bound, or to one sentence on what is wrong with them."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from swapae.apps.cli.commands import COMMANDS, GROUPS, LEFT_OUT, Command
from swapae.arguments import parse_arguments
from swapae.errors import UserError

ABOUT = """The structure of one photograph in the texture of another, in one forward pass.

To train a model: swapae train --help. With any command, --quiet prints no progress and no remarks; swapae --version
prints the version. Exit status: 0 if all went well, 2 for bad input or pictures that failed, 130 when interrupted."""
COMPLETION = ("--tyro-print-completion", "--tyro-write-completion")


def parse(words: Sequence[str]) -> Callable[[], None]:
    """The command that words choose, with its arguments bound; --help prints and exits.

    Raises:
        UserError: they are not understood.
    """
    words = list(words)
    if words and words[0] in LEFT_OUT and (len(words) == 1 or words[1].startswith("-")):
        words.insert(1, LEFT_OUT[words[0]])
    name, command = choose(words)
    if command is None:
        return parse_arguments(lambda: parse_list(words))
    function = command.load()
    rest = [*meant(words[len(name.split()) :], function)]
    try:
        return parse_arguments(lambda: tyro.cli(deferred(function), args=rest, prog=f"swapae {name}"))
    except UserError as error:
        hint = slip(rest, flags(function))
        raise UserError(f"{error}{hint}; usage: swapae {name} {usage(function)}; see swapae {name} --help") from None


def choose(words: Sequence[str]) -> tuple[str, Command | None]:
    """The command's name, such as "swap" or "data check", and the command; None where only help is asked for.

    Raises:
        UserError: there is no such command.
    """
    if not words or words[0].startswith("-"):
        if words and words[0] not in ("-h", "--help", *COMPLETION):
            raise UserError(f"a command comes before {words[0]}: see swapae --help")
        return "", None
    first = words[0]
    if first in COMMANDS:
        return first, COMMANDS[first]
    if first not in GROUPS:
        raise UserError(f"{first!r} is no command{similar(first, [*COMMANDS, *GROUPS])}: see swapae --help")
    _, commands = GROUPS[first]
    if words[1:2] in (["-h"], ["--help"]):
        return first, None
    if len(words) == 1 or words[1] not in commands:
        there = ", ".join(f"swapae {first} {name}" for name in commands)
        what = f"{first} {words[1]!r} is no command" if len(words) > 1 else f"{first} needs a command"
        raise UserError(f"{what}: there is {there}")
    return f"{first} {words[1]}", commands[words[1]]


def slip(words: Sequence[str], known: set[str]) -> str:
    """What was probably wrong with words that are not understood, or nothing."""
    for word in words:
        if word.startswith("--") and word.split("=")[0] not in known:
            return similar(word, known)
        if word.startswith("-") and not word.startswith("--") and "." in word:
            return f"; a file whose name begins with a dash is ./{word}"
    return ""


def similar(word: str, known: Iterable[str]) -> str:
    """A question whether another word was meant, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f" (did you mean {found[0]}?)" if found else ""


def meant(words: Sequence[str], function: Callable[..., None]) -> Iterable[str]:
    """Words as they were meant: files whose names begin with a dash, and -o before an output that has its place."""
    places = [name for name, parameter in parameters(function).items() if is_positional(parameter)]
    for word in words:
        if word in ("-o", "--output") and "output" in places:
            continue
        dashed = word.startswith("-") and "." in word and "=" not in word and Path(word).is_file()
        yield f"./{word}" if dashed else word


def usage(function: Callable[..., None]) -> str:
    """What a command cannot do without, in the form of a command line, such as "IMAGE X,Y -o OUT [options]"."""
    required = {name: p for name, p in parameters(function).items() if p.default is inspect.Parameter.empty}
    places = [settings(p).metavar or name.upper() for name, p in required.items() if is_positional(p)]
    options = []
    for name, parameter in required.items():
        if not is_positional(parameter):
            own = settings(parameter)
            options.append(f"{own.aliases[0] if own.aliases else flag(name, own)} {own.metavar or name.upper()}")
    return " ".join([*places, *options, "[options]"])


def flags(function: Callable[..., None]) -> set[str]:
    """The long options of a command, also those that it shares with others."""
    found = {"--help", "--output"}
    for name, parameter in parameters(function).items():
        kind = getattr(parameter.annotation, "__origin__", parameter.annotation)
        shared = dataclasses.is_dataclass(kind)
        names = [field.name for field in dataclasses.fields(kind)] if shared else [flag(name, settings(parameter))[2:]]
        found |= {f"--{prefix}{each.replace('_', '-')}" for each in names for prefix in ("", "no-")}
    return found


def flag(name: str, own: Any) -> str:
    """The long option of a parameter."""
    return f"--{(own.name or name).replace('_', '-')}"


def parameters(function: Callable[..., None]) -> Mapping[str, inspect.Parameter]:
    """Of a function, with annotations as objects."""
    return inspect.signature(function, eval_str=True).parameters


def settings(parameter: inspect.Parameter) -> Any:
    """What `tyro.conf.arg` holds for a parameter: its `name`, `metavar` and `aliases`."""
    kind = type(tyro.conf.arg())
    own = (each for each in getattr(parameter.annotation, "__metadata__", ()) if isinstance(each, kind))
    return next(own, tyro.conf.arg())


def is_positional(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is given by its place."""
    (mark,) = tyro.conf.Positional[str].__metadata__  # type: ignore[attr-defined]
    return mark in getattr(parameter.annotation, "__metadata__", ())


def deferred(function: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """What takes a command's arguments, and gives the command with them bound."""

    @functools.wraps(function)
    def bind(*args: object, **kwargs: object) -> Callable[[], None]:
        return functools.partial(function, *args, **kwargs)

    return bind


def parse_list(words: list[str]) -> Callable[[], None]:
    """Help that lists commands, by their names alone; or a shell's completion, which takes the options of all."""
    everything = bool(words) and words[0] in COMPLETION

    def listed(command: Command) -> Callable[..., Callable[[], None]]:
        return deferred(command.load()) if everything else named_only(command)

    def group(about: str, commands: Mapping[str, Command]) -> Callable[..., Callable[[], None]]:
        def choose(command: Any) -> Callable[[], None]:
            return command

        choose.__doc__ = about
        # Tyro's stubs call an alias what is an object: it also takes types that are put together as the program runs.
        choose.__annotations__["command"] = tyro.conf.OmitSubcommandPrefixes[  # type: ignore[misc]
            functools.reduce(
                operator.or_,
                (
                    Annotated[Any, tyro.conf.subcommand(name, constructor=listed(command))]
                    for name, command in commands.items()
                ),
                # A union, of which the command is one choice, needs another.
                Annotated[None, tyro.conf.Suppress],
            )
        ]
        return choose

    return tyro.extras.subcommand_cli_from_dict(
        {name: listed(command) for name, command in COMMANDS.items()}
        | {name: group(*described) for name, described in GROUPS.items()},
        args=words,
        prog="swapae",
        description=ABOUT,
    )


def named_only(command: Command) -> Callable[..., Callable[[], None]]:
    """A command for a list of commands: what it does, without its options."""

    def bind() -> Callable[[], None]:
        raise AssertionError("it is listed, not called")

    bind.__doc__ = command.summary()
    return bind
