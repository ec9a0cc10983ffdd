{{/* Names: the release's, with the chart's behind it unless it is in there already. */}}
{{- define "rg.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels that select pods of a part; they must never change. Call with (list $ "gateway"). */}}
{{- define "rg.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "rg.labels" -}}
{{ include "rg.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end }}

{{/* An image by its digest, else its tag, else the chart's version of the application. Call with (list $ image). */}}
{{- define "rg.image" -}}
{{- $image := index . 1 -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}
{{- else }}{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "rg.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "rg.name" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{/* No container here needs a right of its own, or writes to its image. */}}
{{- define "rg.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "rg.keysSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-keys" (include "rg.name" .)) }}
{{- end }}

{{/* What HTTP is spoken over, as an address begins. */}}
{{- define "rg.scheme" -}}
{{- if .Values.gateway.tls.existingSecret }}https{{ else }}http{{ end }}
{{- end }}

{{/* A value as a variable has it. Numbers are floats to Helm, and large ones would be written 1e+08. */}}
{{- define "rg.setting" -}}
{{- if kindIs "map" . }}{{ toJson . | quote }}
{{- else if kindIs "slice" . }}{{ join "," . | quote }}
{{- else if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . | quote }}
{{- else }}{{ toString . | quote }}{{ end }}
{{- end }}

{{/* The address of one of the two Valkey servers, ours or elsewhere. Call with (list $ "state"). */}}
{{- define "rg.redisUrl" -}}
{{- $store := index (index . 0).Values (index . 1) -}}
{{- if $store.existingSecret -}}
valueFrom: {secretKeyRef: {name: {{ $store.existingSecret }}, key: url}}
{{- else -}}
value: {{ $store.url | default (printf "redis://%s-%s:6379/0" (include "rg.name" (index . 0)) (index . 1)) | quote }}
{{- end }}
{{- end }}

{{/* What no schema can say. */}}
{{- define "rg.checked" -}}
{{- $auth := .Values.auth -}}
{{- if and $auth.keys $auth.existingSecret }}
{{- fail "auth: give keys or existingSecret, not both" }}
{{- else if and (or $auth.keys $auth.existingSecret) $auth.allowUnauthenticated }}
{{- fail "auth: allowUnauthenticated is for a gateway without keys" }}
{{- else if not (or $auth.keys $auth.existingSecret $auth.allowUnauthenticated) }}
{{- fail "auth: give keys (auth.keys, auth.existingSecret), or say auth.allowUnauthenticated=true" }}
{{- end }}
{{- if eq .Values.triton.enabled (ne .Values.triton.url "") }}
{{- fail "triton: enabled has no url, and without it url is needed (host:port)" }}
{{- end }}
{{- $elsewhere := or .Values.valkey.url .Values.valkey.existingSecret }}
{{- if eq .Values.valkey.enabled (not (empty $elsewhere)) }}
{{- fail "valkey: enabled has no url or existingSecret, and without it one of them is needed" }}
{{- end }}
{{- if and .Values.state.enabled (or .Values.state.url .Values.state.existingSecret) }}
{{- fail "state: enabled has no url or existingSecret; give state.enabled=false to use a store elsewhere" }}
{{- end }}
{{- if and .Values.gateway.tls.clientCa (not .Values.gateway.tls.existingSecret) }}
{{- fail "gateway.tls: clientCa needs existingSecret, the Secret with certificate and key" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress: host is needed" }}
{{- end }}
{{- range $name := keys .Values.gateway.settings }}
{{- if has $name (list "http_host" "http_port" "grpc_port" "workers" "triton_url" "redis_url" "state_redis_url" "api_keys_file" "allow_unauthenticated" "rewards_file" "judges_file" "upstreams_file" "drain_s" "tls_certificate" "tls_key" "tls_client_ca") }}
{{- fail (printf "gateway.settings.%s is set by the chart: see values.yaml" $name) }}
{{- end }}
{{- end }}
{{- end }}
