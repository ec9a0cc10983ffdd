"""Judges file: every key of ``judges.yaml``, from the models that read it."""

from reward_gateway.backends.judges.config import JudgeConfig

from ..tables import write_keys, write_objects

_HEAD = """# Judges file

Look up a key of `judges.yaml`, which names chat endpoints that judge responses: any server with OpenAI's chat
completions. How to use one is in [judges](../models/judges.md).

```yaml judges
judges:
  - name: strict
    base_url: https://judge.example.org
    model: judge-32b
    api_key_env: JUDGE_API_KEY
    max_tokens: 512
    concurrency: 8
    rate: 300/minute
    price: {input: 0.5, output: 1.5}
    daily_budget: 20
```

Operations name a judge by `name`. The file is set by `--judges-file` and read at the start. Keys stay in the
environment (`api_key_env`). `reward-gateway judges check NAME DATA` measures a judge against labelled data.

## A judge

Set `base_url`, or `urls` for several replicas. Times are in seconds.

"""
_TITLES = {"Price": "Price"}


def write_page() -> str:
    """The page: a table of a judge's keys, and of its price."""
    schema = JudgeConfig.model_json_schema()
    return f"{_HEAD}{write_keys(schema, _TITLES)}\n{write_objects(schema, _TITLES)}"
