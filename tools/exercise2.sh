#!/usr/bin/env bash
# Study A, exercise 2: a training with five augmentations.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/exercise2.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" a --part exercise2 "$@"
