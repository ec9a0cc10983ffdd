{{/* The pod of a pool. Call with (list $ "NAME" pool). */}}
{{- define "rg.poolPod" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}{{ $pool := index . 2 }}
{{- $port := include "rg.poolPort" $pool }}
{{- $gpus := int (dig "gpu" "count" (ternary 0 (int (dig "tensorParallel" 1 $pool)) (eq $pool.engine "triton")) $pool) }}
{{- $drain := int (dig "drainSeconds" 60 $pool) }}
metadata:
  labels:
    {{- include "rg.labels" (list $root $name) | nindent 4 }}
    app.kubernetes.io/part-of: {{ include "rg.name" $root }}
    {{- with $pool.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $pool.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ $pool.serviceAccountName | default (include "rg.serviceAccount" $root) }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pool.priorityClassName | default $root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # preStop until every gateway has looked the addresses up again, then the server ends what it has under way.
  terminationGracePeriodSeconds: {{ add 15 $drain 5 }}
  securityContext:
    runAsNonRoot: {{ dig "runAsNonRoot" true $pool }}
    seccompProfile: {type: RuntimeDefault}
    {{- if or $pool.fetch $pool.cache }}
    fsGroup: 10001  # who writes the models
    fsGroupChangePolicy: OnRootMismatch
    {{- end }}
  {{- with $pool.fetch }}
  # Each model is fetched whole and checked, or the pod does not start.
  initContainers:
    {{- range $number, $model := . }}
    - name: fetch-{{ $number }}
      image: {{ include "rg.image" (list $root $root.Values.gateway.image) }}
      imagePullPolicy: {{ $root.Values.gateway.image.pullPolicy }}
      command: [reward-gateway, models, fetch]
      args:
        - {{ $model.source | quote }}
        - --into=/fetched
        - --name={{ include "rg.fetchedName" $model }}
        - --kind={{ $model.kind | default (ternary "model" "checkpoint" (eq $pool.engine "triton")) }}
        {{- if $pool.cache }}
        - --cache=/cache
        {{- end }}
        {{- with $model.sha256 }}
        - --sha256={{ . }}
        {{- end }}
        {{- with $model.manifest }}
        - --manifest={{ . }}
        {{- end }}
        {{- range $model.args }}
        - {{ . | quote }}
        {{- end }}
      {{- with $model.env }}
      env: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $model.existingSecret }}
      # Tokens and keys of the store: HF_TOKEN, AWS_ACCESS_KEY_ID, REWARD_GATEWAY_FETCH_TOKEN …
      envFrom: [{secretRef: {name: {{ . }}}}]
      {{- end }}
      securityContext:
        runAsUser: 10001
        runAsGroup: 10001
        {{- include "rg.containerSecurity" $root | nindent 8 }}
      resources: {requests: {cpu: 500m, memory: 512Mi}, limits: {memory: 2Gi}}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: fetched, mountPath: /fetched}
        {{- if $pool.cache }}
        - {name: cache, mountPath: /cache}
        {{- end }}
        {{- with $model.claim }}
        - {name: source-{{ $number }}, mountPath: {{ $model.source }}, readOnly: true}
        {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: server
      image: {{ include "rg.poolImage" (list $root $pool) }}
      imagePullPolicy: {{ dig "image" "pullPolicy" "IfNotPresent" $pool }}
      {{- if eq $pool.engine "triton" }}
      command:
        - tritonserver
        {{- if or (not $pool.fetch) $pool.imageModels }}
        - --model-repository=/models
        - --model-config-name=served
        {{- end }}
        {{- if $pool.fetch }}
        - --model-repository=/fetched
        {{- end }}
        - --model-control-mode=explicit
        {{- range $pool.models }}
        - --load-model={{ . }}
        {{- end }}
        - --strict-readiness=true
        - --exit-timeout-secs={{ $drain }}
        {{- range $pool.args }}
        - {{ . | quote }}
        {{- end }}
      {{- else if eq $pool.engine "vllm" }}
      args:
        - --model={{ $pool.model }}
        - --served-model-name={{ $pool.servedName | default $pool.model }}
        - --host=0.0.0.0
        - --port={{ $port }}
        {{- if gt (int (dig "tensorParallel" 1 $pool)) 1 }}
        - --tensor-parallel-size={{ $pool.tensorParallel }}
        {{- end }}
        {{- if gt (int (dig "nodes" 1 $pool)) 1 }}
        - --pipeline-parallel-size={{ $pool.nodes }}
        - --distributed-executor-backend=ray
        {{- end }}
        {{- range $pool.args }}
        - {{ . | quote }}
        {{- end }}
      {{- else if eq $pool.engine "tei" }}
      args:
        - --model-id={{ $pool.model }}
        - --hostname=0.0.0.0
        - --port={{ $port }}
        {{- range $pool.args }}
        - {{ . | quote }}
        {{- end }}
      {{- else }}
      {{- with $pool.command }}
      command: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $pool.args }}
      args: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      env:
        {{- if eq $pool.engine "triton" }}
        - {name: REWARD_MODELS_REMEMBER, value: "0"}
        {{- else }}
        - {name: HF_HOME, value: /tmp/huggingface}
        - {name: HOME, value: /tmp}
        {{- end }}
        {{- with $pool.env }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with $pool.envFrom }}
      envFrom: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- if eq $pool.engine "triton" }}
        - {name: http, containerPort: 8000}
        - {name: serving, containerPort: 8001}
        - {name: metrics, containerPort: 8002}
        {{- else }}
        - {name: serving, containerPort: {{ $port }}}
        {{- end }}
      {{- $health := $pool.healthPath | default (ternary "/v2/health/ready" "/health" (eq $pool.engine "triton")) }}
      {{- $asked := ternary "http" "serving" (eq $pool.engine "triton") }}
      # The headless Service names only servers whose models are loaded.
      startupProbe:
        httpGet: {path: {{ $health }}, port: {{ $asked }}}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: {{ div (int (dig "startSeconds" 1800 $pool)) 5 }}
      readinessProbe:
        httpGet: {path: {{ $health }}, port: {{ $asked }}}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      livenessProbe:
        httpGet: {path: {{ ternary "/v2/health/live" $health (eq $pool.engine "triton") }}, port: {{ $asked }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      lifecycle:
        preStop: {exec: {command: [sleep, "15"]}}
      securityContext:
        {{- if eq $pool.engine "triton" }}
        runAsUser: 1000
        runAsGroup: 1000
        {{- else }}
        runAsUser: {{ int (dig "runAsUser" 10001 $pool) }}
        runAsGroup: {{ int (dig "runAsUser" 10001 $pool) }}
        {{- end }}
        {{- include "rg.containerSecurity" $root | nindent 8 }}
      {{- $resources := deepCopy ($pool.resources | default (dict "requests" (dict "cpu" "2" "memory" "8Gi") "limits" (dict "memory" "32Gi"))) }}
      {{- if $gpus }}
      {{- $resource := dig "gpu" "resource" "nvidia.com/gpu" $pool }}
      {{- $_ := set $resources "limits" (merge (dict $resource $gpus) ($resources.limits | default dict)) }}
      {{- end }}
      resources: {{- toYaml $resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: shared-memory, mountPath: /dev/shm}
        {{- if $pool.fetch }}
        - {name: fetched, mountPath: /fetched, readOnly: true}
        {{- end }}
        {{- if $pool.cache }}
        # Fetched models are links into the cache, which is therefore at the same path.
        - {name: cache, mountPath: /cache, readOnly: true}
        {{- end }}
        {{- with $pool.volumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - {name: tmp, emptyDir: {sizeLimit: {{ $pool.temporary | default "16Gi" }}}}
    - {name: shared-memory, emptyDir: {medium: Memory, sizeLimit: {{ $pool.sharedMemory | default "2Gi" }}}}
    {{- if $pool.fetch }}
    - {name: fetched, emptyDir: {}}
    {{- range $number, $model := $pool.fetch }}
    {{- with $model.claim }}
    - {name: source-{{ $number }}, persistentVolumeClaim: {claimName: {{ . }}, readOnly: true}}
    {{- end }}
    {{- end }}
    {{- end }}
    {{- with $pool.cache }}
    - name: cache
      persistentVolumeClaim: {claimName: {{ .existingClaim | default (printf "%s-cache" (include "rg.poolName" (list $root $name))) }}}
    {{- end }}
    {{- with $pool.volumes }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $pool.nodeSelector | default $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pool.tolerations | default $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pool.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- with $pool.topologySpreadConstraints }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "rg.selector" (list $root $name) | nindent 10 }}
    {{- end }}
{{- end }}
