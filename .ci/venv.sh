#!/usr/bin/env bash
# Make .venv with the first suitable Python: bash .ci/venv.sh [PYTHON]
set -euo pipefail

suitable() { # a shim without an interpreter behind it, or another version, is passed over
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

for python in "$@" python3 python3.13 python3.12 python3.11 python ""; do
  if [ -n "$python" ] && suitable "$python"; then break; fi
done
if [ -z "$python" ]; then
  echo "hwr needs Python 3.11, 3.12 or 3.13; name one with make PYTHON=/path/to/python" >&2
  exit 1
fi

make_venv() { rm -rf .venv && "$python" -m venv .venv; }

# Debian and Ubuntu ship Python without the part that makes virtual environments.
if ! make_venv; then
  rm -rf .venv
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  sudo=$([ "$(id -u)" = 0 ] || echo "sudo -n")
  if ! command -v apt-get >/dev/null; then exit 1; fi
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "python$version-venv"
  make_venv
fi
