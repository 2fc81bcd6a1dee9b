"""The commands of `swapae`: where each one's function is. A module is not imported before its command runs."""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.abc import InspectLoader


@dataclass(frozen=True)
class Command:
    """A function of a module of this folder.

    Args:
        module: its name in `swapae.apps.cli`.
        function: its name there.
    """

    module: str
    function: str

    def load(self) -> Callable[..., None]:
        """The function. Imports its module, and with most of them torch."""
        # Nothing that imports make is garbage: looking through it again and again, at the end too, takes half a second.
        # Once torch is there, as in a program that runs several commands, there is little left to import.
        heavy = "torch" not in sys.modules
        if heavy:
            gc.disable()
        try:
            return getattr(importlib.import_module(self._path), self.function)
        finally:
            if heavy:
                gc.freeze()
                gc.enable()

    def summary(self) -> str:
        """The first paragraph of its docstring, read from the source: a list of commands imports none of them."""
        spec = importlib.util.find_spec(self._path)
        assert spec is not None and isinstance(spec.loader, InspectLoader)
        tree = ast.parse(spec.loader.get_source(self._path) or "")
        node = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == self.function)
        return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())

    @property
    def _path(self) -> str:
        return f"swapae.apps.cli.{self.module}"


COMMANDS = {
    "swap": Command("texture", "swap"),
    "mix": Command("texture", "mix"),
    "translate": Command("texture", "translate_domain"),
    "regions": Command("regions", "regions"),
    "select": Command("regions", "select_region"),
    "paste": Command("structure", "paste"),
    "move": Command("structure", "move"),
    "drag": Command("drag", "drag"),
    "join": Command("structure", "join"),
    "outpaint": Command("structure", "outpaint"),
    "reconstruct": Command("pictures", "reconstruct"),
    "encode": Command("pictures", "encode"),
    "embed": Command("embed", "embed"),
    "index": Command("search", "index_photographs"),
    "search": Command("search", "search"),
    "decode": Command("pictures", "decode"),
    "grid": Command("pictures", "grid"),
    "interpolate": Command("motion", "interpolate_textures"),
    "journey": Command("motion", "journey"),
    "sweep": Command("motion", "sweep"),
    "restyle": Command("video", "restyle_video"),
    "replay": Command("replay", "replay"),
    "recipe": Command("replay", "show_recipe"),
    "train": Command("own_model", "train"),
    "convert": Command("checkpoints", "convert"),
    "evaluate": Command("evaluate", "evaluate"),
    "export": Command("export", "export"),
    "info": Command("info", "info"),
}
GROUPS: dict[str, tuple[str, dict[str, Command]]] = {
    "data": ("Training data.", {"check": Command("data", "check_data"), "draw": Command("data", "draw_data")}),
    "pairs": ("Lists of pairs of photographs to compare.", {"make": Command("evaluate", "make_pairs")}),
    "direction": (
        "Directions in which textures can be edited.",
        {
            "make": Command("directions", "make_direction"),
            "add": Command("directions", "add_to_directions"),
            "list": Command("directions", "list_directions"),
            "apply": Command("directions", "apply_directions"),
            "push": Command("directions", "push_directions"),
        },
    ),
    "space": ("The page as a Hugging Face Space.", {"push": Command("space", "push_space")}),
    "study": ("Human studies of hybrids.", {"serve": Command("study", "study"), "report": Command("study", "report")}),
}
# Of these groups the command may be left out: `swapae study --real ...` is `swapae study serve --real ...`.
LEFT_OUT = {"study": "serve"}
