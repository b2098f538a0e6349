#!/usr/bin/env bash
# Study A, table 3: the backbone.
# Takes --smoke, --data, --seeds, --jobs, --engine and what else `tools/study.py --help` says:
# bash tools/sweep_backbones.sh --smoke
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/study.py" a --part backbones "$@"
