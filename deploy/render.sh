#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The chart with its defaults as plain manifests, for those without helm. `./dev test kube` compares.
#
# Usage: deploy/render.sh [HELM] >deploy/manifests/weir.yaml
set -euo pipefail
chart=$(dirname "$(readlink -f "$0")")/chart

echo '# SPDX-License-Identifier: Apache-2.0'
echo '# Made from deploy/chart by deploy/render.sh: change the chart.'
"${1:-helm}" template weir "$chart" --namespace kube-system |
    sed '/app.kubernetes.io\/managed-by: Helm/d; /^# Source: /d'
