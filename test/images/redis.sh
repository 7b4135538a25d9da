#!/bin/sh
# Starts Redis as the user redis with an append-only file in /data.
set -eu
chown redis:redis /data
exec setpriv --reuid=redis --regid=redis --init-groups "$@" --dir /data --appendonly yes --bind 0.0.0.0 --protected-mode no
