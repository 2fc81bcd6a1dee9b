"""Which release of the package this is."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """The installed version, such as "0.2.0", or "source" where the package runs from a folder and is not installed."""
    try:
        return version("swapae")
    except PackageNotFoundError:
        return "source"
