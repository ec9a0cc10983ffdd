#!/usr/bin/env bash
# install.sh ENVIRONMENT LOCK [OPTION...]: install a lock file, every hash checked, into an environment.
# With uv (seconds); with pip where uv cannot (a mirror or a proxy that only pip knows how to reach).
set -euo pipefail
env=$1 lock=$2
shift 2
here=$(dirname "$0")
home=$here/../.venv/bin
eval "$("$home/python" "$here/pip_settings.py")"
# Every file is named by its hash, so it does not matter which index has it.
export UV_INDEX_STRATEGY=${UV_INDEX_STRATEGY:-unsafe-best-match}
"$home/uv" pip install --quiet --python "$env/bin/python" --require-hashes "$@" -r "$lock" && exit 0
echo "    uv could not; trying pip" >&2
exec "$home/python" -m pip -qq --disable-pip-version-check --python "$env/bin/python" \
  install --require-hashes "$@" -r "$lock"
