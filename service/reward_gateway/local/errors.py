"""What stops the stack: one error whose message is a sentence for the person at the terminal."""


class StackError(Exception):
    """The stack cannot start, or cannot go on. The message says why, and what to do about it."""
