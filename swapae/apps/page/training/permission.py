"""Who may train on this page, and whose a training is."""

from __future__ import annotations

import hashlib
import importlib.util
import ipaddress
import os
from pathlib import Path

from gradio.context import LocalContext

from swapae.apps.page.training.job import Job
from swapae.errors import UserError
from swapae.files import home

VARIABLE, FOLDER = "SWAPAE_TRAIN", "SWAPAE_TRAINED_MODELS"
# What a proxy says of whom it asks for.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


def trains_at(host: str) -> bool:
    """Whether the page has the tab: `SWAPAE_TRAIN` says so, or it is served to this machine alone and can train.

    Args:
        host: the address that the page is served at.

    Raises:
        UserError: it is to have the tab, but cannot train.
    """
    said, can = os.environ.get(VARIABLE, ""), importlib.util.find_spec("accelerate") is not None
    if said == "1" and not can:
        raise UserError(f"{VARIABLE}=1 needs what trains: pip install 'swapae[train]', or leave it out")
    if os.name != "posix":  # groups of processes are started and interrupted otherwise there
        if said == "1":
            raise UserError(f"{VARIABLE}=1 works on Linux and macOS alone: leave it out, and train by `swapae train`")
        return False
    alone = "SPACE_ID" not in os.environ and is_loopback(host)
    return said == "1" or (said != "0" and alone and can)


def models_folder() -> Path:
    """Where the models are kept that are trained on the page."""
    data = Path(os.environ.get("XDG_DATA_HOME") or home() / ".local/share")
    return Path(os.environ.get(FOLDER) or data / "swapae/models")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def from_here() -> bool:
    """Whether the request that is answered comes from this machine, and through no proxy."""
    request = LocalContext.request.get(None)
    if request is None or "SPACE_ID" in os.environ or any(name in request.headers for name in FORWARDED):
        return False
    return request.client is not None and is_loopback(request.client.host)


def may_begin() -> bool:
    """Whether whoever asks may begin a training: a proxy may show many people what is meant for one."""
    return os.environ.get(VARIABLE) == "1" or from_here()


def digest(key: object) -> str:
    """What is kept of a browser's key."""
    return hashlib.sha256(str(key).encode()).hexdigest() if key else ""


def is_own(job: Job, key: object) -> bool:
    """Whether whoever asks may stop, download and push a training, and see its pictures.

    Of many who share a server that is the browser that began it, by a key which it keeps, unlike a visit's name, when
    the page or the server is started anew; whoever sits at the machine itself may do all of it anyway.
    """
    return from_here() or (bool(key) and digest(key) == job.owner)
