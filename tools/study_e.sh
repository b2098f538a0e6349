#!/usr/bin/env bash
# Study E: CIFAR-100.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/study_e.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" e "$@"
