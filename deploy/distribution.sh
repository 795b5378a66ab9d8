# Installing the distribution's packages, for the scripts beside this file, which source it.

# True when packages can be installed from here; then as_root is the command that runs apt-get as root.
can_install() {
    command -v apt-get >/dev/null || return 1
    if [[ $(id -u) -eq 0 ]]; then
        as_root=()
    else
        as_root=(sudo -n)
        command -v sudo >/dev/null && sudo -n true 2>/dev/null
    fi
}

apt() {
    DEBIAN_FRONTEND=noninteractive \
        "${as_root[@]}" apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null
}
