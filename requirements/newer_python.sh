#!/usr/bin/env bash
# newer_python.sh FOLDER: Python 3.13 as FOLDER/usr/bin/python3.13, for trainers that need a newer one than this Debian's.
# Debian's own packages, unpacked and not installed: with their own C library beside them, they run on any Debian.
set -euo pipefail
for tool in debootstrap patchelf; do
  command -v "$tool" >/dev/null || { echo "$tool is needed: sudo apt-get install debootstrap patchelf" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "debootstrap needs root: run make client-python as root" >&2; exit 1; }
mkdir -p "$1"
folder=$(realpath "$1")
# debootstrap cannot work in a folder whose path has a space, so not in this one.
packages=$(mktemp -d /var/tmp/debian-python-XXXXXX)
trap 'rm -rf "$packages"' EXIT
# NeMo-Gym 0.7 asks for 3.13.14, which Debian 13 (3.13.5) does not have and the Debian after it does.
debootstrap --download-only --variant=minbase --include=python3.13 \
  "${DEBIAN:-forky}" "$packages" "" /usr/share/debootstrap/scripts/sid >"$folder/debootstrap.log" 2>&1 || {
  tail -3 "$folder/debootstrap.log" >&2; exit 1; }
# The libraries lie in usr; links in its place, as merged-usr has them, take what older packages put beside it.
mkdir -p "$folder/usr/lib" "$folder/usr/lib64"
ln -sfn usr/lib "$folder/lib"
ln -sfn usr/lib64 "$folder/lib64"
for name in libc6 libgcc-s1 libstdc++6 libpython3.13-minimal libpython3.13-stdlib python3.13-minimal python3.13 \
  libbz2-1.0 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8t64 libsqlite3-0 libssl3t64 libtinfo6 libuuid1 \
  libzstd1 zlib1g; do
  for package in "$packages"/var/cache/apt/archives/"$name"_*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -C "$folder" --keep-directory-symlink -x
  done
done
python=$folder/usr/bin/python3.13
loader=$(patchelf --print-interpreter "$python")
patchelf --set-interpreter "$folder$loader" --force-rpath \
  --set-rpath "$(dirname "$(find "$folder/usr/lib" -name 'libc.so.6')")" "$python"
"$python" -c 'import bz2, ctypes, lzma, readline, sqlite3, ssl, uuid, venv, zlib'
touch "$folder/.ready"
