#!/usr/bin/env bash
# triton.sh ENVIRONMENT LOCK: what the embedded Triton runs its models in, by a lock file of its models' packages
# (triton.txt, or triton-gpu.txt with CUDA); marked ready by ENVIRONMENT/.ready.
# Where it cannot be made, `reward-gateway serve` says why, and what to do instead; so this never fails the build.
set -uo pipefail
env=$1 lock=$2
here=$(dirname "$0")
home=$here/../.venv/bin

# Does this Python have a stub in Triton, numpy 1, and its library as a shared one?
fits='
import ctypes, os, sys, sysconfig
name = "libpython%d.%d.so.1.0" % sys.version_info[:2]
places = [sysconfig.get_config_var("LIBDIR") or "", sys.base_prefix + "/lib"]
assert (3, 11) <= sys.version_info[:2] <= (3, 12)
any(os.path.exists(os.path.join(place, name)) for place in places) or ctypes.CDLL(name)
'
give_up() {
  echo "    $1; \`make serve\` will say what to do, unless REWARD_GATEWAY_TRITON_URL names a server" >&2
  exit 0
}

[ "$(uname -sm)" = "Linux x86_64" ] || give_up "the embedded Triton runs on x86-64 Linux only"
rm -rf "$env"
managed=$("$home/uv" python find --managed-python --offline '>=3.11,<3.13' 2>/dev/null)
for python in "$home/python" python3 python3.12 python3.11 $managed; do
  if "$python" -c "$fits" 2>/dev/null; then
    "$home/uv" venv --quiet --python "$("$python" -c 'import sys; print(sys.executable)')" "$env" && break
  fi
done
if [ ! -e "$env/bin/python" ]; then
  echo "    no Python 3.11 or 3.12 with its shared library here" >&2
  # `serve` looks at this environment and names what is missing; with the library installed it is whole.
  "$home/uv" venv --quiet --python "$home/python" "$env" || give_up "no environment for Triton could be made"
fi
"$here/install.sh" "$env" "$lock" --only-binary :all: ||
  give_up "the packages of Triton's models could not be installed"
"$here/install.sh" "$env" "$here/tritonserver.txt" --no-deps || give_up "the Triton server could not be installed"
touch "$env/.ready"
