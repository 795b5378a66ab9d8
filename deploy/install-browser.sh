#!/usr/bin/env bash
# Makes sure that a Chromium and its ChromeDriver are there: the test suite opens the pages of reports
# with them. Installs the distribution's packages when they are missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/distribution.sh"

has_browser() {
    local name
    command -v chromedriver >/dev/null || return 1
    for name in chromium chromium-browser google-chrome chrome; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}

has_browser && exit 0

if ! can_install; then
    cat >&2 <<'MESSAGE'
error: no Chromium with ChromeDriver was found, and it cannot be installed from here.
Install it once with your system's package manager, for example
    Debian:  sudo apt-get install chromium chromium-driver
    Fedora:  sudo dnf install chromium chromedriver
    macOS:   brew install --cask chromium chromedriver
MESSAGE
    exit 1
fi

echo "Installing Chromium and ChromeDriver from the distribution"
apt update
apt install -y --no-install-recommends chromium chromium-driver

has_browser || {
    echo "error: the packages are installed, but chromium or chromedriver is still not found" >&2
    exit 1
}
