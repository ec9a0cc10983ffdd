"""Upstreams file: every key of ``upstreams.yaml``, from the models that read it."""

from reward_gateway.backends.upstreams.config import ACTIVATED, INPUTS, NAMED
from reward_gateway.backends.upstreams.file import json_schema

from ..tables import write_code, write_objects, write_table

_HEAD = """# Upstreams file

Look up a key of `upstreams.yaml`, which names reward models on other servers: vLLM, SGLang, TEI, infinity, Triton,
KServe, or any HTTP API. How to choose and measure one is in [upstreams](../models/upstreams.md).

```yaml upstreams
upstreams:
  helpfulness:
    protocol: vllm_classify
    urls: [http://rm-0:8000, http://rm-1:8000]
    model: Skywork/Skywork-Reward-V2-Llama-3.1-8B
    input: messages
    api_key_env: RM_API_KEY
    limits: {in_flight: 32, batch: 64, timeout_s: 60}
```

Recipes name an upstream like a model: `score: helpfulness`. The file is set by `--upstreams-file` and reloaded when it
changes. Check it first: `reward-gateway upstreams check upstreams.yaml` reads it as the gateway does and asks every
server; `--offline` only reads it. Keys stay in the environment (`api_key_env`) or in files (`api_key_file`). Relative
paths are below the folder of the file. The JSON Schema for editors is at `GET /v1/upstreams.schema.json`.

## Protocols

What each protocol may send as `input`, the first being its default; whether `model` has to be named; and whether
`activation` may ask the server for sigmoid or softmax.

"""
_TITLES = {
    "UpstreamConfig": "An upstream",
    "Limits": "Limits",
    "Words": "Words",
    "Tensors": "Tensors",
    "HttpForm": "Requests of http",
}


def write_page() -> str:
    """The page: the protocols, and a table for each object of the file."""
    protocols = [
        (
            write_code(name),
            ", ".join(map(write_code, inputs)),
            "yes" if name in NAMED else "no",
            "yes" if name in ACTIVATED else "no",
        )
        for name, inputs in INPUTS.items()
    ]
    table = write_table(("protocol", "input", "model required", "activation"), protocols)
    return _HEAD + table + "\n" + write_objects(json_schema(), _TITLES)
