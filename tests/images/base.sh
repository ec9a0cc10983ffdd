#!/usr/bin/env bash
# base.sh FOLDER: a small Debian with Python as FOLDER/debian.tar, in place of the bases of both images.
set -euo pipefail
folder=$1
for tool in buildah debootstrap; do
  command -v "$tool" >/dev/null || { echo "$tool is needed: sudo apt-get install buildah debootstrap" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "debootstrap needs root: run make test-images as root" >&2; exit 1; }
mkdir -p "$folder"
# debootstrap cannot work in a folder whose path has a space, so not in this one.
root=$(mktemp -d /var/tmp/debian-base-XXXXXX)
trap 'rm -rf "$root"' EXIT
# Python 3.11, for which Triton's Python backend has a stub; it needs libpython as a shared library.
debootstrap --variant=minbase \
  --include=ca-certificates,curl,libpython3.11,python-is-python3,python3,python3-pip,python3-venv \
  bookworm "$root" >"$folder/debootstrap.log" 2>&1 || { tail -3 "$folder/debootstrap.log" >&2; exit 1; }
# Debian keeps pip from installing beside its own packages; the images' bases do not.
rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
tar -C "$root" --exclude=./dev/* --exclude=./var/cache/apt/archives/* -cf "$folder/debian.tar" .
