"""The error of the stack, whose message is for the person at the terminal."""


class StackError(Exception):
    """The stack cannot start or continue. The message says why, and what to do."""
