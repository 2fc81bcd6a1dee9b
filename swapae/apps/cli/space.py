"""`swapae space`: the page as a Hugging Face Space."""

from __future__ import annotations

from typing import Annotated

import tyro

from swapae.apps import space


def push_space(
    repo: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OWNER/NAME")],
    model: Annotated[str | None, tyro.conf.arg(metavar="OWNER/NAME")] = None,
    private: bool = False,
) -> None:
    """The page as a Space on the Hugging Face Hub, created or brought up to this version; prints its address.

    Its app.py, README.md, requirements.txt and folder swapae/ are written anew, and nothing else is touched.

    Args:
        repo: name of the Space; sign in with `hf auth login` first.
        model: on the Hub, that the page opens with; the embedded model of flowers if not given.
        private: make a new Space that only you can see; an older one stays as it is.
    """
    print(space.push_space(repo, model=model, private=private or None))
