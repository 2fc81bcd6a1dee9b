"""Command lines by tyro, whose complaint about bad arguments is said in one line instead of a drawn box.

Tyro gives a complaint as values by its module `_errors` alone, which it says may change in any release. What is used of
it is used here, and without it a complaint loses its details and nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable
from typing import Any, TypeVar

from swapae.errors import UserError

UNCLEAR = "the arguments are not understood"

Parsed = TypeVar("Parsed")


def parse_arguments(parse: Callable[[], Parsed]) -> Parsed:
    """What `parse`, a call of tyro, returns; --help exits as usual.

    Raises:
        UserError: the arguments are not understood.
    """
    complaints: list[str] = []
    with contextlib.ExitStack() as quietly:
        quietly.enter_context(contextlib.redirect_stderr(io.StringIO()))
        with contextlib.suppress(ImportError, AttributeError):
            quietly.enter_context(
                importlib.import_module("tyro._errors").on_parse_error(lambda event: complaints.append(explain(event)))
            )
        try:
            return parse()
        except SystemExit as stop:
            if not stop.code:
                raise
    raise UserError(complaints[0] if complaints else UNCLEAR)


def explain(event: Any) -> str:
    """What a subclass of `tyro._errors.ParseErrorEvent` says, in a few words."""
    try:
        match type(event).__name__:
            case "MissingArgs":
                missing = " and ".join(name_of(each.arg) for each in event.missing_arguments)
                unknown = f"; unknown: {' '.join(event.unrecognized_tokens)}" if event.unrecognized_tokens else ""
                return f"missing {missing}{unknown}"
            case "BadValue":
                return f"a value is missing for {name_of(event.argument)}"
            case "InvalidChoice":
                return f"{flag_of(event.argument)} is one of {', '.join(event.choices)}, got {event.value!r}"
            case "UnrecognizedArgs":
                return f"unknown: {' '.join(event.tokens)}"
            case "InstantiationFailure":
                if event.argument is None:
                    return event.message
                wanted = {"FLOAT": "a number", "INT": "a whole number"}.get(event.argument.lowered.metavar)
                if wanted is None:
                    return f"{flag_of(event.argument)}: {event.message}"
                return f"{flag_of(event.argument)} needs {wanted}, got {event.message.rpartition(': ')[2]}"
    except (AttributeError, TypeError):  # another version of tyro
        pass
    return UNCLEAR


def name_of(argument: Any) -> str:
    """A `tyro._arguments.ArgumentDefinition` as one would write it: "X,Y", "-o OUT" or "--alpha FLOAT"."""
    return flag_of(argument) if argument.is_positional() else f"{flag_of(argument)} {argument.lowered.metavar}"


def flag_of(argument: Any) -> str:
    """The same without its value: "X,Y", "-o" or "--alpha"."""
    return argument.lowered.metavar if argument.is_positional() else argument.lowered.name_or_flags[0]
