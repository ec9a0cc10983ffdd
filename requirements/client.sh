#!/usr/bin/env bash
# client.sh FOLDER LOCK BASE: an environment for one trainer's client. A lock that says so stands over BASE, the
# environment of the trainers: what is not in it comes from there (torch, transformers).
set -euo pipefail
env=$1 lock=$2 base=$3
here=$(dirname "$0")
"${PYTHON:-python3}" -m venv --without-pip "$env"
if grep -q '^# Over ' "${lock%.txt}.in"; then
  site=$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  "$base/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$site/base.pth"
fi
if grep -q '^# Python 3.10' "${lock%.txt}.in"; then  # uv has no option for a Python that a package does not ask for
  "$here/../.venv/bin/python" -m pip -qq --disable-pip-version-check --python "$env/bin/python" \
    install --require-hashes --no-deps --ignore-requires-python -r "$lock"
else
  "$here/install.sh" "$env" "$lock" --no-deps
fi
touch "$env/.ready"
