"""Commands: usage, arguments, options, environment variables and an example of each, from what parses them.

The commands stand above the guide, and hand their descriptions over (:mod:`..sources`).
"""

from ..sources import Command, NotHandedOver, read_commands
from ..tables import write_code, write_phrase, write_table

_HEAD = """# Commands

Look up a command of `reward-gateway`: how it is called, its options, their environment variables, and an example.

Results go to standard output, everything else to standard error. Where an option names an environment variable, it may
be set there instead: `export REWARD_GATEWAY_URL=http://127.0.0.1:8080` for all commands that ask a running service.
`reward-gateway COMMAND --help` shows the same on the command line, and `reward-gateway --install-completion` completes
names of recipes, models and judges in your shell.

"""
_ABSENT = "This process does not have the commands. Run `reward-gateway --help`.\n"


def write_page() -> str:
    """The page: exit codes, and a section for each command."""
    try:
        line = read_commands()
    except NotHandedOver:
        return _HEAD + _ABSENT
    codes = [(write_code(str(code)), write_phrase(meaning)) for code, meaning in line.exit_codes.items()]
    listed = [
        (f"[{write_code(each.name)}](#{_anchor(each)})", write_phrase(_first(each.text))) for each in line.commands
    ]
    parts = [
        _HEAD,
        write_table(("command", "what it does"), listed),
        "\n## Exit codes\n\n",
        write_table(("code", "meaning"), codes),
    ]
    group = ""
    for command in line.commands:
        name = command.name.partition(" ")[0]
        if name in line.groups and name != group:
            parts.append(f"\n## reward-gateway {name}\n\n{write_phrase(line.groups[name])}\n")
        group = name
        parts.append(_write_command(command, "###" if name in line.groups else "##"))
    return "".join(parts)


def _write_command(command: Command, level: str) -> str:
    paragraphs = [write_phrase(text) for text in command.text.split("\n\n")]
    parts = [f"\n{level} reward-gateway {command.name}\n", *paragraphs, f"```text figure\n{command.usage}\n```"]
    if command.arguments:
        parts.append(write_table(("argument", "what it is"), _write_rows(command.arguments)))
    if command.options:
        parts.append(write_table(("option", "what it does"), _write_rows(command.options)))
    if command.takes_settings:
        parts.append("Every [setting](settings.md) is an option, too.")
    if command.example:
        parts.append(f"```bash elsewhere\n{command.example}\n```")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _write_rows(records: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(write_code(names), write_phrase(text)) for names, text in records]


def _anchor(command: Command) -> str:
    return f"reward-gateway-{command.name.replace(' ', '-')}"


def _first(text: str) -> str:
    """The first sentence of a help text."""
    return text.partition("\n\n")[0].partition(". ")[0].rstrip(".") + "."
