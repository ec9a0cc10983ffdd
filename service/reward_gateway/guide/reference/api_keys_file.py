"""API keys file: every key of the file of API keys, from the model that reads it."""

from reward_gateway.fair_queue import WEIGHTS
from reward_gateway.traffic.keys import ApiKey

from ..tables import write_code, write_keys, write_table

_HEAD = """# API keys file

Look up a key of the file that says who may call, and what. How keys, limits and tenants are used is in
[settings, keys and limits](../operate/keys-and-limits.md).

```yaml keys
keys:
  - name: trainer
    sha256: 48089213720e62853fceaa28c3adf672ec25246e4b89d2f6995feb4a8cd8453a
    rights: [score]
    rate: 600/minute
  - name: operator
    sha256: c23cb83c384ea8488f97517af1a88ee5bf711a1530e2d91e44be2c3160f69502
    rights: [admin]
    priority: interactive
```

The file is set by `--api-keys-file` and read again when it changes, or on SIGHUP; a faulty file is reported in the log,
and the keys before stay. No other user may be able to write to it. Make a key, and its hash for the file:

```bash run
KEY=$(head -c 24 /dev/urandom | base64)
echo "key:    $KEY"
echo "sha256: $(printf %s "$KEY" | sha256sum | cut -d ' ' -f 1)"
```

Callers send a key as `Authorization: Bearer KEY`, as `X-Api-Key: KEY`, or, where a client takes only an address, as
`http://x:KEY@HOST`. Without a file no key is required, and the gateway listens on loopback only.

## A key

Set `key` or `sha256`, one of them.

"""

_PRIORITIES = """
## Priorities

While requests of several callers wait, each caller gets these parts of the slots and of the calls to models:

"""


def write_page() -> str:
    """The page: a table of the keys of an entry, and of the priorities."""
    shares = [(write_code(name), str(weight)) for name, weight in WEIGHTS.items()]
    return _HEAD + write_keys(ApiKey.model_json_schema()) + _PRIORITIES + write_table(("priority", "parts"), shares)
