#!/usr/bin/env bash
# Study C: early stopping and its remedies, and two lengths of a series.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/study_c.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" c "$@"
