#!/bin/sh
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# First process of the PostgreSQL image. It makes the database cluster at the first start, then becomes the server.
#   POSTGRES_PASSWORD  password of the user; needed at the first start, unless POSTGRES_HOST_AUTH_METHOD is trust
#   POSTGRES_USER      the user that may do everything, postgres
#   POSTGRES_DB        the database that is made, named as the user
#   PGDATA             where everything is kept, /var/lib/postgresql/data
#   POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD (scram-sha-256), and NAME_FILE for a NAME that is read from a file
# Files in /docker-entrypoint-initdb.d (.sh, .sql, .sql.gz) are run at the first start.
set -eu
umask 077

say() {
    echo "entrypoint: $*" >&2
}

give_up() {
    say "$*"
    exit 1
}

# setting NAME DEFAULT: sets NAME from itself, from the file that NAME_FILE names, or to DEFAULT.
setting() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        give_up "$1 and $1_FILE are both set: set one of them."
    fi
    if [ -n "$file" ]; then
        [ -r "$file" ] || give_up "$1_FILE names $file, which cannot be read: mount it, readable for user $(id -u)."
        value=$(cat "$file")
    fi
    eval "$1=\${value:-\$2}"
    unset "$1_FILE" value file
}

# The server refuses to run as root: root prepares the folders and becomes the user postgres.
become_postgres() {
    mkdir -p "$PGDATA" /var/run/postgresql
    for folder in "$PGDATA" /var/run/postgresql; do
        [ "$(stat -c %u "$folder")" = 999 ] || chown -R 999:999 "$folder"
    done
    exec setpriv --reuid=999 --regid=999 --clear-groups -- "$0" "$@"
}

# A volume belongs to root and is writable for a group (fsGroup), the server wants a folder of its own.
choose_folder() {
    mkdir -p "$PGDATA" 2>/dev/null || give_up "PGDATA is $PGDATA, which user $(id -u) cannot make: mount a volume there, with fsGroup in the pod's securityContext."
    if [ ! -O "$PGDATA" ]; then
        PGDATA=$PGDATA/pgdata
        mkdir -p "$PGDATA" 2>/dev/null || give_up "User $(id -u) may not write to $(dirname "$PGDATA"): set fsGroup in the pod's securityContext, or run as root."
        say "$(dirname "$PGDATA") belongs to another user: the data are in $PGDATA."
    fi
    [ -O "$PGDATA" ] || give_up "$PGDATA belongs to user $(stat -c %u "$PGDATA"), this is user $(id -u): run as the user that made it."
    chmod 0700 "$PGDATA"
}

# initdb asks who it is; a pod may run as a number that has no name.
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
            *.sh) say "running $script"; if [ -x "$script" ]; then "$script"; else /bin/bash "$script"; fi ;;
            *.sql) say "running $script"; psql --quiet --set=ON_ERROR_STOP=1 --file="$script" ;;
            *.sql.gz) say "running $script"; gzip --decompress --stdout "$script" | psql --quiet --set=ON_ERROR_STOP=1 ;;
            */\*) ;;
            *) say "$script is left out: it is no .sh, .sql or .sql.gz." ;;
        esac
    done
}

# Everything is made in a folder beside, which takes its place once it is whole: a start that is ended leaves nothing half.
make_cluster() {
    if [ ! -e "$new/complete" ]; then
        setting POSTGRES_INITDB_ARGS ""
        setting POSTGRES_HOST_AUTH_METHOD scram-sha-256
        if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
            give_up "POSTGRES_PASSWORD is not set: set it, or POSTGRES_PASSWORD_FILE, from a Secret."
        fi
        rm -rf "$new" "$names"
        for there in "$PGDATA"/* "$PGDATA"/.[!.]*; do
            case ${there##*/} in
                \*|'.[!.]*'|lost+found) ;;
                *) give_up "$PGDATA holds ${there##*/} and no database (PG_VERSION): name an empty folder with PGDATA." ;;
            esac
        done
        mkdir "$names"
        say "making the database cluster in $PGDATA"
        (
            name_user
            set -- --pgdata="$new" --username="$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --no-sync
            if [ -n "$POSTGRES_PASSWORD" ]; then set -- "$@" --pwfile=/dev/stdin; fi
            # The arguments are words, as in the image that people know.
            # shellcheck disable=SC2086
            printf '%s\n' "$POSTGRES_PASSWORD" | initdb "$@" $POSTGRES_INITDB_ARGS >/dev/null
        )
        echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>"$new/pg_hba.conf"
        # Reached from inside only, so that nobody meets a database that is not finished; written to the disk at the end.
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
# Read as root where it is root: a Secret may be readable for nobody else.
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
