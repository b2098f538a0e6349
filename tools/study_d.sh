#!/usr/bin/env bash
# Study D: a model as it is, two fine-tunings, a CNN from scratch, and their vote.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/study_d.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" d "$@"
