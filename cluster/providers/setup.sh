#!/usr/bin/env bash
# Prepares a machine for tautune: your own (`make` calls this) and every node of a cluster, at every provider.
#
#   setup.sh [FOLDER]   installs the locked versions into FOLDER and links .venv to it; without FOLDER, into .venv
#
# Another call with the same locked versions repeats nothing and takes a few milliseconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
environment=${1:-.venv}
python=${PYTHON:-python3}
pip=("$environment/bin/python" -m pip --quiet --disable-pip-version-check --no-input)

own() {  # docker creates the folders of its mounts as root
  [[ -O $1 ]] || sudo chown "$(id -u):$(id -g)" "$1"
}

token=$HOME/.ray/auth_token
if [[ -e $token ]]; then
  own "$HOME/.ray" && own "$token"
  chmod 700 "$HOME/.ray" && chmod 600 "$token"
fi

versions=$(cat requirements.lock pyproject.toml | cksum)
if [[ ! -e $environment/installed || $(<"$environment/installed") != "$versions" ]]; then
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"tautune needs Python 3.11 or later, and {sys.executable} is {sys.version.split()[0]}; make PYTHON=python3.11")'
  "$python" -m venv "$environment"
  "${pip[@]}" install -r requirements.lock
  "${pip[@]}" install --no-deps --editable .
  echo "$versions" >"$environment/installed"
fi
touch "$environment/installed"  # `make` looks at its age
[[ $environment == .venv ]] || ln -sfn "$environment" .venv
