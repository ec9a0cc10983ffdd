"""A catalogue of public reward models: how each scores, and what to paste to serve it here. One file per family."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from reward_gateway.yaml_file import YamlFault, read_yaml

from .family import Family

FAMILIES = Path(__file__).parent / "families"


class CatalogueError(ValueError):
    """A file of the catalogue is not a family; the message says which file, where, and why."""


@cache
def read_families(folder: Path = FAMILIES) -> Mapping[str, Family]:
    """The families by name, which is that of their file, in the order of the alphabet. Raises CatalogueError."""
    return {file.stem: read_family(file) for file in sorted(folder.glob("*.yaml"), key=lambda file: file.stem)}


def read_family(file: Path) -> Family:
    """The family of a file. Raises CatalogueError."""
    try:
        return Family.model_validate({"name": file.stem, **read_yaml(file)})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise CatalogueError(f"{file.name}: {'; '.join(faults)}") from None
    except (YamlFault, TypeError) as error:
        raise CatalogueError(f"{file.name}: {error}") from None
