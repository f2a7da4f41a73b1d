#!/bin/sh
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Entrypoint of the PostgreSQL image. It creates the database cluster on the first start, then executes the server.
#   POSTGRES_PASSWORD  password of the user; required on the first start, unless POSTGRES_HOST_AUTH_METHOD is trust
#   POSTGRES_USER      the superuser (default: postgres)
#   POSTGRES_DB        the database to create (default: the name of the user)
#   PGDATA             the data directory (default: /var/lib/postgresql/data)
#   POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD (default: scram-sha-256), and NAME_FILE to read NAME from a file
# Files in /docker-entrypoint-initdb.d (.sh, .sql, .sql.gz) are executed on the first start.
set -eu
umask 077

log() {
    echo "entrypoint: $*" >&2
}

fail() {
    log "$*"
    exit 1
}

# setting NAME DEFAULT: sets NAME from the environment, from the file in NAME_FILE, or to DEFAULT.
setting() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        fail "$1 and $1_FILE are both set. Set only one of them."
    fi
    if [ -n "$file" ]; then
        [ -r "$file" ] || fail "$1_FILE is set to $file, which cannot be read. Mount it readable for user $(id -u)."
        value=$(cat "$file")
    fi
    eval "$1=\${value:-\$2}"
    unset "$1_FILE" value file
}

# The server does not run as root: root prepares the folders and switches to the user postgres.
become_postgres() {
    mkdir -p "$PGDATA" /var/run/postgresql
    for folder in "$PGDATA" /var/run/postgresql; do
        [ "$(stat -c %u "$folder")" = 999 ] || chown -R 999:999 "$folder"
    done
    exec setpriv --reuid=999 --regid=999 --clear-groups -- "$0" "$@"
}

# A volume belongs to root and is writable for a group (fsGroup), but the server must own its data directory.
choose_folder() {
    mkdir -p "$PGDATA" 2>/dev/null || fail "PGDATA is $PGDATA, which user $(id -u) cannot create. Mount a volume there, and set fsGroup in the pod's securityContext."
    if [ ! -O "$PGDATA" ]; then
        PGDATA=$PGDATA/pgdata
        mkdir -p "$PGDATA" 2>/dev/null || fail "User $(id -u) cannot write to $(dirname "$PGDATA"). Set fsGroup in the pod's securityContext, or run as root."
        log "$(dirname "$PGDATA") belongs to another user. The data directory is $PGDATA."
    fi
    [ -O "$PGDATA" ] || fail "$PGDATA belongs to user $(stat -c %u "$PGDATA"), but this is user $(id -u). Run as the owner."
    chmod 0700 "$PGDATA"
}

# initdb requires a user name, but a pod may run as a user ID without one.
name_user() {
    if ! id -un >/dev/null 2>&1; then
        for library in /usr/lib/*/libnss_wrapper.so; do
            echo "postgres:x:$(id -u):$(id -g)::/:/bin/sh" >"$names/passwd"
            echo "postgres:x:$(id -g):" >"$names/group"
            export LD_PRELOAD="$library" NSS_WRAPPER_PASSWD="$names/passwd" NSS_WRAPPER_GROUP="$names/group"
        done
    fi
}

run_scripts() {
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh) log "running $script"; if [ -x "$script" ]; then "$script"; else /bin/bash "$script"; fi ;;
            *.sql) log "running $script"; psql --quiet --set=ON_ERROR_STOP=1 --file="$script" ;;
            *.sql.gz) log "running $script"; gzip --decompress --stdout "$script" | psql --quiet --set=ON_ERROR_STOP=1 ;;
            */\*) ;;
            *) log "ignoring $script, which is not a .sh, .sql or .sql.gz file" ;;
        esac
    done
}

# The database cluster is created in a temporary folder and moved when complete, so an interrupted start leaves no partial data.
make_cluster() {
    if [ ! -e "$new/complete" ]; then
        setting POSTGRES_INITDB_ARGS ""
        setting POSTGRES_HOST_AUTH_METHOD scram-sha-256
        if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
            fail "POSTGRES_PASSWORD is not set. Set it or POSTGRES_PASSWORD_FILE from a Secret."
        fi
        rm -rf "$new" "$names"
        for name in "$PGDATA"/* "$PGDATA"/.[!.]*; do
            case ${name##*/} in
                \*|'.[!.]*'|lost+found) ;;
                *) fail "$PGDATA contains ${name##*/} but no database (PG_VERSION). Set PGDATA to an empty folder." ;;
            esac
        done
        mkdir "$names"
        log "creating the database cluster in $PGDATA"
        (
            name_user
            set -- --pgdata="$new" --username="$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --no-sync
            if [ -n "$POSTGRES_PASSWORD" ]; then set -- "$@" --pwfile=/dev/stdin; fi
            # The variable contains several words, as in the image on Docker Hub.
            # shellcheck disable=SC2086
            printf '%s\n' "$POSTGRES_PASSWORD" | initdb "$@" $POSTGRES_INITDB_ARGS >/dev/null
        )
        echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>"$new/pg_hba.conf"
        # Listens on a private socket only, because the database is not complete; data is flushed to disk at the end.
        pg_ctl --pgdata="$new" --wait --silent --options="-c fsync=off -c listen_addresses='' -c unix_socket_directories='$new'" start
        export PGHOST="$new" PGUSER="$POSTGRES_USER"
        if [ "$POSTGRES_DB" != postgres ]; then
            echo 'CREATE DATABASE :"name";' | PGDATABASE=postgres psql --quiet --set=ON_ERROR_STOP=1 --set=name="$POSTGRES_DB"
        fi
        export POSTGRES_USER POSTGRES_DB PGDATABASE="$POSTGRES_DB"
        run_scripts
        pg_ctl --pgdata="$new" --wait --silent --mode=fast stop
        unset PGHOST PGUSER PGDATABASE
        initdb --pgdata="$new" --sync-only >/dev/null
        touch "$new/complete"
    fi
    for part in "$new"/*; do
        case ${part##*/} in complete|PG_VERSION) ;; *) mv "$part" "$PGDATA/" ;; esac
    done
    mv "$new/PG_VERSION" "$PGDATA/"
}

case ${1:-} in
    ''|-*) set -- postgres "$@" ;;
esac
case "$* " in
    *'--version '* | *'--help '*) exec "$@" ;;
    'postgres '*) ;;
    *) exec "$@" ;;
esac
: "${PGDATA:=/var/lib/postgresql/data}"
# Read before root switches to another user: a Secret may be readable for root only.
setting POSTGRES_USER postgres
setting POSTGRES_DB "$POSTGRES_USER"
setting POSTGRES_PASSWORD ""
if [ "$(id -u)" = 0 ]; then
    export PGDATA POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD
    become_postgres "$@"
fi
trap 'exit 143' TERM INT
choose_folder
export PGDATA
new=$PGDATA/.new names=$PGDATA/.names
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    make_cluster
fi
rm -rf "$new" "$names"
unset POSTGRES_PASSWORD
shift
for sockets in /var/run/postgresql /tmp "$PGDATA"; do
    [ -w "$sockets" ] && break
done
[ "$sockets" = /var/run/postgresql ] || set -- -c "unix_socket_directories=$sockets" "$@"
exec postgres -D "$PGDATA" -c "listen_addresses=*" "$@"
