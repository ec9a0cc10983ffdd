"""Operations: every operation by kind, from the registry, with links to its page."""

from reward_gateway.operations.registry import KINDS, catalog
from reward_gateway.pages.indexes import DESCRIPTIONS
from reward_gateway.pages.operation_page import FIDELITIES
from reward_gateway.pages.site import operation_path

from ..tables import write_code, write_phrase, write_table

_HEAD = """# Operations

Find an operation: {count} of them score, transform, combine, credit and audit rewards. Each name links to its page,
with its formula, parameters, fields, source and worked examples.

The same names work in recipes and as `POST /v1/KIND/NAME`; `reward-gateway catalog` lists them on the command line, and
`GET /v1/catalog` gives their schemas.

**Fidelity** says how sure a formula is:

"""


def write_page() -> str:
    """The page, with a table for each kind."""
    operations = catalog()
    fidelities = [(name, write_phrase(meaning)) for name, meaning in FIDELITIES.items()]
    parts = [_HEAD.format(count=len(operations)), write_table(("fidelity", "meaning"), fidelities), "\n"]
    for kind in KINDS:
        rows = [
            (
                f"[{write_code(each.name)}](/pages/{operation_path(kind, each.name)})",
                write_phrase(each.summary),
                each.fidelity,
            )
            for each in operations.of_kind(kind)
        ]
        parts.append(f"## {kind.capitalize()}\n\n{DESCRIPTIONS[kind].capitalize()}.\n\n")
        parts.append(write_table(("name", "what it computes", "fidelity"), rows) + "\n")
    return "".join(parts)
