"""What a process that computes imports before its first request: all that requests name.

A request's work arrives by name, and what it names is imported then, under the request's deadline. That takes seconds
on a busy machine, and a process that is late is ended, so that the next one would begin anew, for ever.
"""

from reward_gateway.grpc import decode as messages
from reward_gateway.grpc import operation_messages
from reward_gateway.http import encode
from reward_gateway.http.dialects import text_metrics
from reward_gateway.http.oip import request as infer_request
from reward_gateway.intake import batch_reading, operation_body, recipe_file
from reward_gateway.operations.requests import load_operations
from reward_gateway.recipes import book
from reward_gateway.scoring import recorded_answers

__all__ = [
    "batch_reading",
    "book",
    "encode",
    "infer_request",
    "messages",
    "operation_body",
    "operation_messages",
    "prepare_process",
    "recipe_file",
    "recorded_answers",
    "text_metrics",
]


def prepare_process() -> None:
    """The first work of a process; importing this module is most of it."""
    load_operations()
