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

{{/* What opens a store elsewhere: users, passwords and certificates. Call with (list $ "state" "STATE_REDIS"). */}}
{{- define "rg.redisAccess" -}}
{{- $store := index (index . 0).Values (index . 1) }}{{ $prefix := index . 2 }}
{{- with $store.auth }}{{ if .existingSecret }}
{{- $secret := .existingSecret }}
{{- range $setting, $key := dict "USERNAME" .usernameKey "PASSWORD" .passwordKey "SENTINEL_USERNAME" .sentinelUsernameKey "SENTINEL_PASSWORD" .sentinelPasswordKey }}
{{- if $key }}
- name: REWARD_GATEWAY_{{ $prefix }}_{{ $setting }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $key }}}}
{{- end }}
{{- end }}
{{- end }}{{ end }}
{{- $folder := printf "/etc/reward-gateway-%s-tls" (index . 1) }}
{{- with $store.tls }}{{ if .existingSecret }}
{{- if .ca }}
- {name: REWARD_GATEWAY_{{ $prefix }}_CA, value: {{ printf "%s/%s" $folder .ca | quote }}}
{{- end }}
{{- if .certificate }}
- {name: REWARD_GATEWAY_{{ $prefix }}_CERTIFICATE, value: {{ printf "%s/%s" $folder .certificate | quote }}}
- {name: REWARD_GATEWAY_{{ $prefix }}_KEY, value: {{ printf "%s/%s" $folder .key | quote }}}
{{- end }}
{{- end }}{{ end }}
{{- end }}

{{/* Who reads metrics, as a NetworkPolicy has it; empty: nobody. */}}
{{- define "rg.metricsFrom" -}}
{{- $from := .Values.networkPolicy.metricsFrom | default list }}
{{- with .Values.networkPolicy.prometheusNamespace }}
{{- $from = append $from (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" .))) }}
{{- end }}
{{- with $from }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* A policy that would cut off what the values ask for is refused in words. */}}
{{- define "rg.checkedNetwork" -}}
{{- $policy := .Values.networkPolicy }}
{{- $routed := or .Values.ingress.enabled .Values.routes.http.enabled .Values.routes.grpc.enabled }}
{{- $scraped := or .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled }}
{{- if $policy.enabled }}
{{- if and $routed (not $policy.ingressNamespace) (not $policy.from) }}
{{- fail "networkPolicy: the ingress or a route is on, and nothing lets its controller reach the gateway: name its namespace in networkPolicy.ingressNamespace, or its pods in networkPolicy.from" }}
{{- end }}
{{- if and $scraped (not (include "rg.metricsFrom" .)) }}
{{- fail "networkPolicy: a monitor is on, and nothing lets Prometheus reach the pods: name its namespace in networkPolicy.prometheusNamespace, or its pods in networkPolicy.metricsFrom" }}
{{- end }}
{{- end }}
{{- if and (or .Values.routes.http.enabled .Values.routes.grpc.enabled) (not .Values.routes.parentRefs) }}
{{- fail "routes: name the Gateway that they belong to in routes.parentRefs, [{name: …, namespace: …}]" }}
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
{{- if and .Values.triton.enabled .Values.triton.url }}
{{- fail "triton: enabled has no url, and without it url is needed (host:port)" }}
{{- end }}
{{- if not (include "rg.tritonUrl" .) }}
{{- fail "triton: without enabled its url is needed (host:port), or a pool of engine triton" }}
{{- end }}
{{- include "rg.checkedPools" . }}
{{- $elsewhere := or .Values.valkey.url .Values.valkey.existingSecret }}
{{- if eq .Values.valkey.enabled (not (empty $elsewhere)) }}
{{- fail "valkey: enabled has no url or existingSecret, and without it one of them is needed" }}
{{- end }}
{{- range $part := list "valkey" "state" }}{{ with index $.Values $part }}
{{- if and .enabled (or (dig "auth" "existingSecret" "" .) (dig "tls" "existingSecret" "" .)) }}
{{- fail (printf "%s: auth and tls are those of a server elsewhere; the one of the chart has neither" $part) }}
{{- end }}
{{- end }}{{ end }}
{{- $access := or (dig "auth" "existingSecret" "" .Values.state) (dig "tls" "existingSecret" "" .Values.state) }}
{{- if and $access (not (or .Values.state.url .Values.state.existingSecret)) }}
{{- fail "state: auth and tls need a url or existingSecret; where neither is given, those of `valkey` open its server" }}
{{- end }}
{{- range $name, $weight := .Values.canary }}
{{- if or (lt (float64 $weight) 0.0) (gt (float64 $weight) 1.0) }}
{{- fail (printf "canary.%s: a weight is a number from 0 (rolled back) to 1 (promoted)" $name) }}
{{- end }}
{{- end }}
{{- if and (eq .Values.autoscaling.kind "keda") .Values.autoscaling.enabled (not .Values.monitoring.prometheusUrl) }}
{{- fail "autoscaling: KEDA asks Prometheus: give its address in monitoring.prometheusUrl" }}
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
{{- include "rg.checkedNetwork" . }}
{{- range $name := keys .Values.gateway.settings }}
{{- if has $name (list "http_host" "http_port" "grpc_port" "workers" "triton_url" "redis_url" "state_redis_url" "api_keys_file" "allow_unauthenticated" "rewards_file" "judges_file" "upstreams_file" "canary_weights" "state_replicas" "redis_username" "redis_password" "redis_ca" "redis_certificate" "redis_key" "redis_sentinel_username" "redis_sentinel_password" "state_redis_username" "state_redis_password" "state_redis_ca" "state_redis_certificate" "state_redis_key" "state_redis_sentinel_username" "state_redis_sentinel_password" "drain_s" "tls_certificate" "tls_key" "tls_client_ca") }}
{{- fail (printf "gateway.settings.%s is set by the chart: see values.yaml" $name) }}
{{- end }}
{{- end }}
{{- end }}
