"""Reading the TOML files that people write, each validated once, at the door."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.documents import describe

_Model = TypeVar("_Model", bound=BaseModel)


def read_settings(path: Path, model: type[_Model], *, error: type[HanseError], absent: str) -> _Model:
    """Read a TOML file into a model.

    Args:
        path: The file.
        model: What it holds.
        error: What to raise, of the room that the file belongs to.
        absent: What to do if the file is not there.

    Raises:
        HanseError: An ``error``, naming the file, and each field that is wrong.
    """
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as failure:
        raise error(f"The file {path} cannot be read ({failure.strerror}).", absent) from failure
    except UnicodeDecodeError as failure:
        raise error(f"The file {path} is not UTF-8 text.", "Save it as UTF-8.") from failure
    except tomllib.TOMLDecodeError as failure:
        raise error(f"The file {path} is not TOML: {failure}.", "Mend that line.") from failure
    except ValidationError as failure:
        raise error(f"The file {path} is not valid: {describe(failure)}.", "Mend the named fields.") from failure
