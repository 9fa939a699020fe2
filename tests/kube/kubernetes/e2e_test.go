// SPDX-License-Identifier: Apache-2.0

// Package kubernetes keeps what the end-to-end suite needs in go.sum; build.sh builds the suite.
package kubernetes

import _ "k8s.io/kubernetes/test/e2e"
