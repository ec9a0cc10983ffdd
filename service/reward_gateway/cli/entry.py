"""The console script: runs the commands, or names the missing extra.

``pip install reward-gateway`` installs this script with the client alone, so this module imports only what the client
needs.
"""

import sys

from reward_gateway import extras


def main() -> None:
    """Run the command line. Exit code 2 if a package it needs is not installed."""
    try:
        with extras.needed():
            from reward_gateway.cli.main import main as run
    except extras.MissingExtra as error:
        print(f"reward-gateway: {error}", file=sys.stderr)
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
