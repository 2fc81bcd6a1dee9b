"""Serving the page: `app.py` of this repository and of every Space calls `main`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import gradio as gr

from swapae import SwapAE, UserError
from swapae.apps.page import zerogpu
from swapae.apps.page.models import Models, directions_of, load_model, trained_form
from swapae.apps.page.page import Page
from swapae.apps.page.parts import MAX_FILE_SIZE
from swapae.apps.page.photographs import PhotographFolder
from swapae.apps.page.studio import Studio
from swapae.apps.page.style import CSS, tab_rules
from swapae.apps.page.training.job import Trainings, trained_here
from swapae.apps.page.training.permission import models_folder, trains_at
from swapae.apps.page.training.style import CSS as TRAINING
from swapae.apps.page.turns import Turns
from swapae.editing.directions import Directions
from swapae.hub import folders
from swapae.inference.fast import optimize_for_inference
from swapae.model import Autoencoder

# What `Blocks.launch` wants to know about the page since Gradio 6.
LAUNCH: dict[str, Any] = {
    "theme": gr.themes.Default(
        primary_hue="teal",
        font=["system-ui", "sans-serif"],  # no font is fetched from anywhere
        font_mono=["ui-monospace", "monospace"],
    ),
    "css": CSS + tab_rules() + TRAINING,
    "max_file_size": MAX_FILE_SIZE,
    # Visitors whose history is remembered; of more, the ones who came first are forgotten.
    "state_session_capacity": 200,
    "footer_links": ["api", "settings"],
}


def build_demo(
    model: Autoencoder,
    directions: Directions | None = None,
    allowed: Sequence[str] = (),
    source: str | None = None,
    photographs: PhotographFolder | None = None,
    trainings: Trainings | None = None,
    turns: Turns | None = None,
) -> gr.Blocks:
    """The page for a model in evaluation mode; launch it with `**LAUNCH`.

    Args:
        model: that it opens with.
        directions: the model's, if it has any.
        allowed: folders or "owner/name" of further models that visitors may choose.
        source: the model's own folder or name; the embedded model's if not given.
        photographs: a folder that visitors may find photographs in.
        trainings: of models of visitors' own, which they may choose as well; None where nobody may train.
        turns: by which the page computes.
    """
    studio = Studio(model, directions, turns=turns, trained=trained_form(model, source or folders.EMBEDDED))
    if photographs is not None:
        photographs.index(studio)  # which begins to make it
    if trainings is None:
        return Page(Models(studio, allowed, source), photographs).build()
    folder = trainings.folder
    return Page(Models(studio, allowed, source, lambda: trained_here(folder)), photographs, trainings).build()


def offered(folder: str) -> PhotographFolder:
    """The folder that visitors may find photographs in.

    Raises:
        UserError: there is none, or no photographs in it, or a GPU is lent, which the background is not.
    """
    if zerogpu.ACTIVE:
        raise UserError("--photos cannot be used where a GPU is lent for a picture at a time (ZeroGPU): leave it out")
    return PhotographFolder(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until interrupted; 2 if that cannot be."""
    parser = argparse.ArgumentParser(description="The structure of one photograph in the texture of another.")
    default = os.environ.get("PORT", "7860")
    parser.add_argument("--port", type=int, default=default, help="$PORT or 7860 if not given")
    parser.add_argument(
        "--model", metavar="FOLDER_OR_NAME", help="that the page opens with; the embedded model of flowers if not given"
    )
    parser.add_argument(
        "--allow-model",
        action="append",
        default=[name.strip() for name in os.environ.get("SWAPAE_MODELS", "").split(",") if name.strip()],
        metavar="FOLDER_OR_NAME",
        help="a model that visitors may choose as well; also $SWAPAE_MODELS, with commas between",
    )
    parser.add_argument(
        "--photos",
        metavar="FOLDER",
        default=os.environ.get("SWAPAE_PHOTOS") or None,
        help="photographs that visitors may find by their look or shape, and use; also $SWAPAE_PHOTOS",
    )
    options = parser.parse_args(arguments)
    # A Space is reached from outside its container; everyone else has to ask for that.
    host = os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1")
    try:
        source = options.model or folders.EMBEDDED
        model = optimize_for_inference(SwapAE.default()) if options.model is None else load_model(options.model)
        photographs = None if options.photos is None else offered(options.photos)
        trainings = Trainings(models_folder()) if trains_at(host) else None
        directions = directions_of(model, source)
        turns = Turns()
        demo = build_demo(model, directions, options.allow_model, options.model, photographs, trainings, turns)
        # Only now: the picture that the page opens with is nobody's, and no GPU is lent before the launch.
        zerogpu.lend(model, source)
        zerogpu.prepare(source)
        demo.launch(server_name=host, server_port=options.port, **LAUNCH)
        turns.end()
    except UserError as error:
        print(f"app.py: {error}", file=sys.stderr)
    except (OSError, OverflowError):  # all that Gradio says of a port that is taken, or is none
        print(f"app.py: cannot serve at {host}:{options.port}; is it taken? Choose another --port", file=sys.stderr)
    except ValueError as error:
        if "localhost" not in str(error):
            raise
        # Gradio asks its own page once, and waits three seconds.
        print(
            f"app.py: the page does not answer at {host}:{options.port}: is the machine too busy, or a proxy in "
            "between (NO_PROXY=localhost,127.0.0.1 passes it by)? Start it again",
            file=sys.stderr,
        )
    else:
        return 0
    return 2
