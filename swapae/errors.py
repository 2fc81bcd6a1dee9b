"""The errors that a user can act on: bad input, never a fault of the program."""


class UserError(ValueError):
    """Bad input whose one-line message says what was wrong, what was expected and what to do."""

    def __init__(self, message: str) -> None:
        # A DataLoader raises the error of a worker process anew, with the worker's traceback as its message.
        if message.startswith("Caught ") and "Original Traceback" in message:
            message = message.strip().splitlines()[-1].partition(": ")[2]
        super().__init__(message)


class PictureError(UserError):
    """A picture that cannot be read, or whose size does not suit the model."""


class ModelError(UserError):
    """A model that cannot be found, read or uploaded."""


class Interrupted(UserError):
    """Ctrl-C, with a message on what was kept and how to go on."""


def first_line(error: Exception) -> str:
    """An error's message without line breaks after the first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
