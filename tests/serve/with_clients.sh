#!/usr/bin/env bash
# with_clients.sh SCRIPT ARGUMENT...: runs a test in the environment that
# `tools/setup clients` makes; or without it, and the test skips what it needs it for.
set -eu
clients=${XDG_CACHE_HOME:-$HOME/.cache}/kith/clients
python=$clients/bin/python
if [ ! -x "$python" ]; then
    python=python3
fi
export KITH_AXE=$clients/axe.min.js
exec "$python" "$@"
