"""What every edit of a recipe is: a frozen dataclass of plain values, a step from one state to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from swapae.editing.state import EditContext, EditState
from swapae.editing.validation import Mask
from swapae.errors import UserError, first_line


@dataclass(frozen=True)
class Edit:
    """A step of a recipe; `name` is what the recipe calls it."""

    name: ClassVar[str]

    def apply(self, state: EditState, context: EditContext) -> EditState:
        """The state after it.

        Raises:
            UserError: it does not fit the state or the photographs.
        """
        try:
            return self._apply(state, context)
        except UserError:
            raise
        except ValueError as error:  # from `swapae.editing`
            raise UserError(f"{self.name}: {first_line(error)}") from error

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        fields = {field.name: to_json_value(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"edit": self.name, **fields}


def to_json_value(value: Any) -> Any:
    """A field's value for JSON."""
    if isinstance(value, Mask):
        return value.to_dict()
    if isinstance(value, tuple):
        return [to_json_value(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value
