"""The errors that a user can act on: bad input, never a fault of the program."""


class UserError(ValueError):
    """Bad input whose one-line message says what was wrong, what was expected and what to do."""


class PictureError(UserError):
    """A picture that cannot be read, or whose size does not suit the model."""
