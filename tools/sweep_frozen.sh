#!/usr/bin/env bash
# Study A, table 1: how many stages are frozen.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/sweep_frozen.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" a --part frozen "$@"
