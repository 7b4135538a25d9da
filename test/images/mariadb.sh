#!/bin/sh
# Starts MariaDB on /var/lib/mysql as the user mysql; an empty folder is
# initialised first. Root logs in over the unix socket without a password;
# MARIADB_ROOT_PASSWORD or MARIADB_ROOT_PASSWORD_FILE also lets root in over TCP.
set -eu
data=/var/lib/mysql

# A volume may bring lost+found; what counts is the system database.
mkdir -p "$data" /run/mysqld
chown mysql:mysql "$data" /run/mysqld
if [ ! -d "$data/mysql" ]; then
  mariadb-install-db --user=mysql --datadir="$data" --auth-root-authentication-method=socket \
    --auth-root-socket-user=root --skip-test-db >/dev/null
fi

password=${MARIADB_ROOT_PASSWORD:-}
if [ -n "${MARIADB_ROOT_PASSWORD_FILE:-}" ]; then password=$(cat "$MARIADB_ROOT_PASSWORD_FILE"); fi
set -- "$@" --user=mysql --datadir="$data" --bind-address=0.0.0.0 --skip-name-resolve --skip-log-bin
if [ -n "$password" ]; then
  # Read once at start by the server itself, so the password is in no process list.
  init=/run/mysqld/root-password.sql
  (umask 077; printf "CREATE USER IF NOT EXISTS 'root'@'%%';\nALTER USER 'root'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO 'root'@'%%' WITH GRANT OPTION;\n" \
    "$(printf %s "$password" | sed "s/[\\\\']/\\\\&/g")" > "$init")
  chown mysql:mysql "$init"
  set -- "$@" --init-file="$init"
fi
exec "$@"
