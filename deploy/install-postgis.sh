#!/usr/bin/env bash
# Makes sure that the programs of a PostgreSQL server with PostGIS are there: the test suite starts a
# throw-away server of its own with them, and PgBouncer before it. Installs the distribution's packages
# when they are missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/distribution.sh"

has_postgis() {
    local bindir sharedir
    for bindir in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin \
        /usr/pgsql-*/bin /opt/homebrew/bin /usr/local/bin; do
        [[ -n $bindir && -x $bindir/initdb && -x $bindir/postgres ]] || continue
        for sharedir in "$("$bindir/pg_config" --sharedir 2>/dev/null || true)" \
            "/usr/share/postgresql/$(basename "$(dirname "$bindir")")"; do
            [[ -n $sharedir && -f $sharedir/extension/postgis.control ]] && return 0
        done
    done
    return 1
}

has_pgbouncer() { [[ -x /usr/sbin/pgbouncer ]] || command -v pgbouncer >/dev/null; }

has_postgis && has_pgbouncer && exit 0

if ! can_install; then
    if has_postgis; then
        echo "PgBouncer was not found and cannot be installed from here: its tests are skipped" >&2
        exit 0
    fi
    cat >&2 <<'MESSAGE'
error: no PostgreSQL server with PostGIS was found, and it cannot be installed from here.
Install it once with your system's package manager, for example
    Debian, Ubuntu:  sudo apt-get install postgresql postgis
    Fedora:          sudo dnf install postgresql-server postgis
    macOS:           brew install postgresql postgis
The test suite starts a server of its own; no service needs to run.
MESSAGE
    exit 1
fi

echo "Installing PostgreSQL and PostGIS from the distribution"
apt update
has_pgbouncer || apt install -y --no-install-recommends pgbouncer
has_postgis && exit 0
apt install -y --no-install-recommends postgresql
version=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -n 1)
apt install -y --no-install-recommends "postgresql-$version-postgis-3"

has_postgis || {
    echo "error: the packages are installed, but PostGIS is still not found" >&2
    exit 1
}
