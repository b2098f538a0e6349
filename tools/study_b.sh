#!/usr/bin/env bash
# Study B: frozen bases, a model as it is, and recurrent networks by the length of a series.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/study_b.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" b "$@"
