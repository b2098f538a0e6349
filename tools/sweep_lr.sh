#!/usr/bin/env bash
# Study A, table 2: the learning rate.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/sweep_lr.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" a --part lr "$@"
