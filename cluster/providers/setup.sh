#!/usr/bin/env bash
# Makes a machine ready for tautune: the laptop (`make` calls this) and every node of a cluster, at every provider.
#
#   setup.sh [FOLDER]   the locked versions go into FOLDER, and .venv links to it; without FOLDER into .venv itself
#
# Nothing that is done is done again: with the same locked versions another call takes some milliseconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
environment=${1:-.venv}
python=${PYTHON:-python3}
pip=("$environment/bin/python" -m pip --quiet --disable-pip-version-check --no-input)

own() {  # docker makes the folders of what it mounts as root
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
touch "$environment/installed"  # make compares its age
[[ $environment == .venv ]] || ln -sfn "$environment" .venv
