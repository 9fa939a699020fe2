{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* The name of every object, and with it the pod's: a cluster has one Weir. */}}
{{- define "weir.name" -}}weir{{- end }}

{{- define "weir.selector" -}}
app.kubernetes.io/name: {{ include "weir.name" . }}
{{- end }}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
