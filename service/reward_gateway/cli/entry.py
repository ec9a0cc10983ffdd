"""The console script: imports the commands, or says in a sentence which extra they need.

``pip install reward-gateway`` installs the client alone, and this script with it. So this module imports only what
the client needs.
"""

import sys

from reward_gateway import extras


def main() -> None:
    """Run the command line. Exit code 2 where a package that it needs is not installed."""
    try:
        with extras.needed():
            from reward_gateway.cli.main import main as run
    except extras.MissingExtra as error:
        print(f"reward-gateway: {error}", file=sys.stderr)
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
