# Sourced by each finding. Installs pinned public packages in a temporary folder, which is removed at the end, and runs
# the program on standard input there. `serve.py` beside this file is importable as `serve`.
#
#   run_python PACKAGE==VERSION ... <<'PY'     with python3 and packages of PyPI
#   run_node PACKAGE@VERSION ... <<'JS'        with node and packages of npm, as an ES module

set -euo pipefail
_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
_folder=$(mktemp -d)
trap 'rm -rf "$_folder"' EXIT

run_python() {
    python3 -m venv "$_folder/venv"
    "$_folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    cat >"$_folder/finding.py"
    PYTHONPATH="$_lib" PYTHONWARNINGS=ignore LITELLM_LOCAL_MODEL_COST_MAP=True "$_folder/venv/bin/python" "$_folder/finding.py"
}

run_node() {
    (cd "$_folder" && npm install --silent --no-fund --no-audit --prefix . "$@")
    cat >"$_folder/finding.mjs"
    node --no-warnings "$_folder/finding.mjs"
}
