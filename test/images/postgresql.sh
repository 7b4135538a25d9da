#!/bin/sh
# Starts PostgreSQL on $PGDATA as the user postgres; an empty folder is
# initialised first. Local connections need no password; POSTGRES_PASSWORD or
# POSTGRES_PASSWORD_FILE sets the one asked for over TCP.
set -eu
: "${PGDATA:=/var/lib/postgresql/data}"
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
export PATH="$bin:$PATH" PGDATA

mkdir -p "$PGDATA" /var/run/postgresql
chown postgres:postgres "$PGDATA" /var/run/postgresql
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rmdir "$PGDATA/lost+found" 2>/dev/null || true
  password=${POSTGRES_PASSWORD:-}
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then password=$(cat "$POSTGRES_PASSWORD_FILE"); fi
  file=/var/run/postgresql/initial-password
  (umask 077; printf '%s\n' "${password:-$(head -c 24 /dev/urandom | base64)}" > "$file")
  chown postgres:postgres "$file"
  setpriv --reuid=postgres --regid=postgres --init-groups \
    initdb --pgdata="$PGDATA" --encoding=UTF8 --locale=C --auth-local=trust --auth-host=scram-sha-256 --pwfile="$file" >/dev/null
  rm -f "$file"
  printf "host all all all scram-sha-256\n" >> "$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$@" -D "$PGDATA" -c listen_addresses='*'
