"""Nothing is defined that the service never uses: what only its own test calls, or nobody, goes or is wired."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import reward_gateway

PACKAGE = Path(reward_gateway.__file__).parent
GENERATED = ("reward_pb2.py", "reward_pb2_grpc.py")

CALLED_BY_LIBRARIES = {
    "run_single": "verl calls it of a reward manager",
    "_run_eval_sync": "autoevals calls it",
    "_should_upgrade": "uvicorn calls it",
    "_unsupported_upgrade_warning": "uvicorn calls it",
    "a_measure": "DeepEval calls it",
    "add_registered_method_handlers": "the generated code of gRPC services calls it",
    "initial_observation": "tinker-cookbook calls it",
    "score_breakdown": "DeepEval reads it of a metric",
    "REWARD_NAME": "EasyR1 reads it of a reward function's module",
    "REWARD_TYPE": "EasyR1 reads it of a reward function's module",
    "RewardGatewayVerifier": "open-instruct finds it by its class",
    "async_call": "open-instruct calls it",
    "close_timeout": "uvicorn reads it",
    "close_timer": "uvicorn reads it",
    "epilog": "typer shows it below the help of a command",
    "format_options": "click calls it",
    "get_metrics": "SkyRL calls it",
    "global_post_process_and_metrics": "NeMo-RL calls it",
    "handle_message": "uvicorn calls it",
    **dict.fromkeys(("heading_close", "table_close", "table_open", "td_open", "th_open"), "markdown-it calls it"),
    "handle_websocket_upgrade": "uvicorn calls it",
    "in_batch": "the tests that hold over the table of fields read it",
    "logger": "uvicorn reads it",
    "predictionMode": "ANTLR reads it of a parser's simulator",
    "minimum_version": "ssl reads it of a context",
    "config_class": "LeRobot reads it of a reward model",
    "next_stop_strings": "NeMo-RL reads it of an environment's answer",
    "on_chunk_header": "httptools calls it",
    "num_tickets": "ssl reads it of a context",
    "sni_callback": "ssl calls it",
    "terminateds": "NeMo-RL reads it of an environment's answer",
    "double_param": "a field of Triton's InferParameter",
    "force_exit": "uvicorn reads it",
    "should_exit": "uvicorn reads it",
    "find_class": "pickle calls it",
    "ray_enabled": "NeMo-Gym reads it of a server",
    "readinto": "pickle calls it",
    "image_tag": "a field of OpenAI's graders that has no effect here",
    "send_400_response": "uvicorn calls it",
    "timeout_keep_alive": "uvicorn reads it",
    "spool_max_size": "Starlette reads it of a parser of forms",
    "synsets": "nltk calls it",
    "verify_mode": "ssl reads it of a context",
    "writelines": "a program calls it of its standard output",
    "isAcceptState": "ANTLR reads it of a state of its prediction",
    "predicates": "ANTLR reads them of a state of its prediction",
}
"""Names that the package defines for others, and who they are."""

OWN_DECORATORS = {"property", "staticmethod", "classmethod"}
"""Decorators that call nothing: what another one decorates is registered by it."""


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Functions, classes, constants and attributes; what a decorator registers is found by its registry."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(decorator_list=[]) | ast.AsyncFunctionDef(decorator_list=[]) | ast.ClassDef():
                yield node.name
            case ast.FunctionDef() if OWN_DECORATORS.issuperset(map(ast.unparse, node.decorator_list)):
                yield node.name
            case ast.Assign(targets=targets):
                for target in targets:
                    match target:
                        case ast.Name(id=name) | ast.Attribute(attr=name):
                            yield name
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name)):
                yield name


def test_everything_that_is_defined_is_used() -> None:
    files = [file for file in PACKAGE.rglob("*.py") if file.name not in GENERATED]
    words: Counter[str] = Counter()
    defined: dict[str, str] = {}
    for file in files:
        text = file.read_text()
        words.update(re.findall(r"[A-Za-z_]\w*", text))
        defined.update({name: f"{file.relative_to(PACKAGE)}: {name}" for name in defined_names(ast.parse(text))})
    unused = {name for name in defined if words[name] == 1 and not name.startswith("__")}
    assert sorted(defined[name] for name in unused - CALLED_BY_LIBRARIES.keys()) == []
    assert sorted(CALLED_BY_LIBRARIES.keys() - unused) == [], "the list names what is used, or is not there"
