{{/* Names and parts of pools: model servers beside the gateways, one entry of `pools` each. */}}

{{/* Call with (list $ "NAME"). */}}
{{- define "rg.poolName" -}}
{{ include "rg.name" (index . 0) }}-{{ index . 1 }}
{{- end }}

{{/* The host under which the addresses of all ready servers of a pool are found. */}}
{{- define "rg.poolHost" -}}
{{ include "rg.poolName" . }}.{{ (index . 0).Release.Namespace }}.svc
{{- end }}

{{/* The port that the gateway asks: gRPC of Triton, HTTP of the others. Call with the pool. */}}
{{- define "rg.poolPort" -}}
{{- if eq .engine "triton" }}8001{{ else if .port }}{{ .port }}{{ else if eq .engine "tei" }}8080{{ else }}8000{{ end }}
{{- end }}

{{/* Whether a pool may be scaled to zero; empty: it may not. */}}
{{- define "rg.poolIdles" -}}
{{- $scaling := .autoscaling | default dict -}}
{{- if and (eq ($scaling.kind | default "none") "keda") (eq (int (dig "minReplicas" 1 $scaling)) 0) }}true{{ end }}
{{- end }}

{{/* The models of a pool as the gateway's metrics name them: a regular expression. Call with (list "NAME" pool). */}}
{{- define "rg.poolModels" -}}
{{- $name := index . 0 }}{{- $pool := index . 1 -}}
{{- if eq $pool.engine "triton" }}({{ join "|" $pool.models }})(@.*)?{{ else }}{{ $name }}{{ end }}
{{- end }}

{{/* The image of a pool: its own, or Triton's with the models that ship. Call with (list $ pool). */}}
{{- define "rg.poolImage" -}}
{{- include "rg.image" (list (index . 0) ((index . 1).image | default (index . 0).Values.triton.image)) }}
{{- end }}

{{/* Where a fetched model lies. Call with an entry of `fetch`. */}}
{{- define "rg.fetchedName" -}}
{{- .name | default (base .source | splitList "@" | first) }}
{{- end }}

{{/* Whether the gateways have an upstreams file that the chart writes; empty: they have not. */}}
{{- define "rg.hasUpstreams" -}}
{{- $found := not (empty .Values.upstreams.entries) }}
{{- range $name, $pool := .Values.pools }}
{{- if or (ne $pool.engine "triton") (include "rg.poolIdles" $pool) }}{{ $found = true }}{{ end }}
{{- end }}
{{- if $found }}true{{ end }}
{{- end }}

{{/* The Tritons that gateways ask: that of their pod, one elsewhere, and every server of the pools. */}}
{{- define "rg.tritonUrl" -}}
{{- $urls := list }}
{{- if .Values.triton.enabled }}{{ $urls = append $urls "127.0.0.1:8001" }}{{ end }}
{{- if .Values.triton.url }}{{ $urls = append $urls .Values.triton.url }}{{ end }}
{{- range $name, $pool := .Values.pools }}
{{- if eq $pool.engine "triton" }}{{ $urls = append $urls (printf "dns:///%s:8001" (include "rg.poolHost" (list $ $name))) }}{{ end }}
{{- end }}
{{- join "," $urls }}
{{- end }}

{{/* What pools need that no schema can say. */}}
{{- define "rg.checkedPools" -}}
{{- $scrapes := .Values.monitoring.prometheusUrl }}
{{- range $name, $pool := .Values.pools }}
{{- $at := printf "pools.%s" $name }}
{{- if has $name (list "valkey" "state" "keys" "rewards" "dashboard" "test" "upstreams" "gateway") }}
{{- fail (printf "%s: the chart has an object of this name: call the pool otherwise" $at) }}
{{- end }}
{{- if and (eq $pool.engine "triton") (not $pool.models) }}
{{- fail (printf "%s.models: name the models that this pool's Tritons load" $at) }}
{{- end }}
{{- if and (ne $pool.engine "triton") (not $pool.image) }}
{{- fail (printf "%s.image: name the image of the server, for example {repository: vllm/vllm-openai, tag: v0.12.0}" $at) }}
{{- end }}
{{- if and (has $pool.engine (list "vllm" "tei")) (not $pool.model) }}
{{- fail (printf "%s.model: name the model: its path, /fetched/NAME for one of `fetch`, or its name on the hub" $at) }}
{{- end }}
{{- if and (eq $pool.engine "custom") (not $pool.protocol) }}
{{- fail (printf "%s.protocol: say how the server is asked (the guide's page Upstreams lists the protocols)" $at) }}
{{- end }}
{{- if and (gt (int (dig "nodes" 1 $pool)) 1) (ne $pool.engine "vllm") }}
{{- fail (printf "%s.nodes: only a server of vLLM is spread over several nodes" $at) }}
{{- end }}
{{- $kind := dig "autoscaling" "kind" "none" $pool }}
{{- if and (eq $kind "keda") (not $scrapes) (not (dig "autoscaling" "triggers" nil $pool)) }}
{{- fail (printf "%s.autoscaling: KEDA asks Prometheus: give its address in monitoring.prometheusUrl" $at) }}
{{- end }}
{{- if and (eq $kind "hpa") (eq (int (dig "autoscaling" "minReplicas" 1 $pool)) 0) }}
{{- fail (printf "%s.autoscaling.minReplicas: a HorizontalPodAutoscaler cannot scale to zero; kind: keda can" $at) }}
{{- end }}
{{- if gt (int (dig "autoscaling" "minReplicas" 1 $pool)) (int (dig "autoscaling" "maxReplicas" 4 $pool)) }}
{{- fail (printf "%s.autoscaling: minReplicas is above maxReplicas" $at) }}
{{- end }}
{{- range $number, $model := $pool.fetch }}
{{- if and (hasPrefix "hf://" $model.source) (not (regexMatch "@[0-9a-f]{40}$" $model.source)) (not $model.sha256) (not $model.manifest) (not (has "--allow-unpinned" ($model.args | default list))) }}
{{- fail (printf "%s.fetch[%d].source: a model of the hub is pinned by its commit, hf://ORG/NAME@ and 40 hex digits (or sha256)" $at $number) }}
{{- end }}
{{- if and (hasPrefix "/" $model.source) (not $model.claim) }}
{{- fail (printf "%s.fetch[%d]: a folder is on a volume: name its PersistentVolumeClaim in claim" $at $number) }}
{{- end }}
{{- end }}
{{- if and (hasKey $pool "cache") (not $pool.cache.existingClaim) (not $pool.cache.size) }}
{{- fail (printf "%s.cache: give existingClaim or size" $at) }}
{{- end }}
{{- if and $pool.fetch (eq $pool.engine "triton") }}
{{- range $model := $pool.fetch }}
{{- if and (eq ($model.kind | default "model") "model") (not (has (include "rg.fetchedName" $model) $pool.models)) }}
{{- fail (printf "%s.models: %s is fetched and not loaded: name it" $at (include "rg.fetchedName" $model)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.upstreams.existingSecret (include "rg.hasUpstreams" .) }}
{{- fail "upstreams: pools and entries make the file of upstreams; move what existingSecret has to upstreams.entries (keys by api_key_env and gateway.env)" }}
{{- end }}
{{- end }}
