#!/usr/bin/env bash
# Installs eatmydata where the distribution has it: the test suite throws all its databases away, so
# nothing there needs to wait for the disk. Without it the suite is slower, and nothing else.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/distribution.sh"

command -v eatmydata >/dev/null && exit 0
can_install || exit 0
echo "Installing eatmydata from the distribution"
{ apt update && apt install -y --no-install-recommends eatmydata; } || \
    echo "eatmydata was not installed: tests wait for the disk" >&2
