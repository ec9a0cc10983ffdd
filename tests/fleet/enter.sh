#!/bin/sh
# enter.sh COMMAND: run it as the first process of namespaces that nobody else is in. `make test-fleet` calls it by
# unshare; see network.py. What is mounted here is seen by this command and what it starts alone.
set -eu
# Named network namespaces, and shared memory: a gateway removes that of stacks whose processes it cannot see.
mkdir -p /run/netns
mount -t tmpfs none /run/netns
mount -t tmpfs -o mode=1777 none /dev/shm
exec "$@"
