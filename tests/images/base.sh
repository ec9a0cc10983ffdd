#!/usr/bin/env bash
# base.sh FOLDER: a small Debian with Python as FOLDER/debian.tar, in place of the bases of both images.
set -euo pipefail
folder=$1
for tool in buildah debootstrap; do
  command -v "$tool" >/dev/null || { echo "$tool is needed: sudo apt-get install buildah debootstrap" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "debootstrap needs root: run make test-images as root" >&2; exit 1; }
mkdir -p "$folder"
# Python 3.11, for which Triton's Python backend has a stub; it needs libpython as a shared library.
debootstrap --variant=minbase \
  --include=ca-certificates,curl,libpython3.11,python-is-python3,python3,python3-pip,python3-venv \
  bookworm "$folder/debian" >"$folder/debootstrap.log" 2>&1 ||
  { tail -3 "$folder/debootstrap.log" >&2; rm -rf "$folder/debian"; exit 1; }
# Debian keeps pip from installing beside its own packages; the images' bases do not.
rm -f "$folder"/debian/usr/lib/python3*/EXTERNALLY-MANAGED
tar -C "$folder/debian" --exclude=./dev/* --exclude=./var/cache/apt/archives/* -cf "$folder/debian.tar" .
rm -rf "$folder/debian"
