"""What the readers of a record or table may rely on, so that one of another layout is refused where it is loaded."""

import json
from typing import Any, ClassVar

import pandas as pd
from pandas.api.types import is_numeric_dtype
from pydantic import TypeAdapter, ValidationError

from pneumonia.base.errors import UserError

_SHOWN = 3


class RecordContract:
    """Refuses a record that lacks entries of its layout or has others in their place; further ones are no matter.

    Attributes:
        name: Of the record.
        layout: What it must hold.
        remedy: What to do besides putting it back.
    """

    name: ClassVar[str]
    layout: ClassVar[Any]
    remedy: ClassVar[str] = "or make it again: kedro run --pipelines=evaluation"

    def validate(self, data: Any) -> Any:
        """Return the record as it is.

        Raises:
            UserError: Naming the entries that are missing or wrong.
        """
        try:
            # As it is written: a list is one, whatever Python or NumPy call it.
            TypeAdapter(self.layout).validate_json(json.dumps(data, default=lambda value: value.tolist()), strict=True)
        except ValidationError as error:
            raise self.refusal(list_problems(error)) from error
        return data

    def refusal(self, problems: list[str]) -> UserError:
        """Return the error that names what is wrong."""
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        return UserError(
            f"The {self.name} is not what this release writes ({'; '.join(problems[:_SHOWN])}{more}). "
            f"Put it back as it was written, {self.remedy}."
        )


class TypedContract(RecordContract):
    """Gives a record that was saved its types again, those of its layout."""

    def validate(self, data: Any) -> Any:
        """Return the record with its types.

        Raises:
            UserError: Naming the entries that are missing or wrong.
        """
        try:
            return TypeAdapter(self.layout).validate_python(data)
        except ValidationError as error:
            raise self.refusal(list_problems(error)) from error


def list_problems(error: ValidationError) -> list[str]:
    """Return the entries that are wrong, each with what is wrong with it."""
    return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]


class TableContract(RecordContract):
    """Refuses a table that lacks columns, or has text in those of numbers.

    Attributes:
        text: Names of columns of text.
        numbers: Names of columns of numbers, which may have gaps.
    """

    text: ClassVar[tuple[str, ...]]
    numbers: ClassVar[tuple[str, ...]]

    def validate(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return the table as it is.

        Raises:
            UserError: Naming the columns that are missing or wrong.
        """
        problems = [f"{column}: missing" for column in (*self.text, *self.numbers) if column not in data]
        problems += [
            f"{column}: not all numbers"
            for column in self.numbers
            if column in data and len(data) and not is_numeric_dtype(data[column]) and not data[column].isna().all()
        ]
        if problems:
            raise self.refusal(problems)
        return data
