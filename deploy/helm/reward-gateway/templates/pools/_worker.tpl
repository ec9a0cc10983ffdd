{{/* A pod that joins the leader of a server over several nodes. Call with (list $ "NAME" pool). */}}
{{- define "rg.poolWorker" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}{{ $pool := index . 2 }}
metadata:
  labels:
    {{- include "rg.labels" (list $root (printf "%s-worker" $name)) | nindent 4 }}
spec:
  serviceAccountName: {{ $pool.serviceAccountName | default (include "rg.serviceAccount" $root) }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: worker
      image: {{ include "rg.poolImage" (list $root $pool) }}
      imagePullPolicy: {{ dig "image" "pullPolicy" "IfNotPresent" $pool }}
      command: [sh, -c, "ray start --address=$LWS_LEADER_ADDRESS:6379 --block"]
      env:
        - {name: HF_HOME, value: /tmp/huggingface}
        - {name: HOME, value: /tmp}
        {{- with $pool.env }}{{ toYaml . | nindent 8 }}{{ end }}
      startupProbe: {exec: {command: [ray, status]}, periodSeconds: 5, failureThreshold: 360}
      livenessProbe: {exec: {command: [ray, status]}, periodSeconds: 30, timeoutSeconds: 20, failureThreshold: 6}
      securityContext:
        runAsUser: {{ int (dig "runAsUser" 10001 $pool) }}
        runAsGroup: {{ int (dig "runAsUser" 10001 $pool) }}
        {{- include "rg.containerSecurity" $root | nindent 8 }}
      {{- $resources := deepCopy ($pool.resources | default (dict "requests" (dict "cpu" "2" "memory" "8Gi") "limits" (dict "memory" "32Gi"))) }}
      {{- $_ := set $resources "limits" (merge (dict (dig "gpu" "resource" "nvidia.com/gpu" $pool) (int (dig "gpu" "count" (int (dig "tensorParallel" 1 $pool)) $pool))) ($resources.limits | default dict)) }}
      resources: {{- toYaml $resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: shared-memory, mountPath: /dev/shm}
  volumes:
    - {name: tmp, emptyDir: {sizeLimit: {{ $pool.temporary | default "16Gi" }}}}
    - {name: shared-memory, emptyDir: {medium: Memory, sizeLimit: {{ $pool.sharedMemory | default "2Gi" }}}}
  {{- with $pool.nodeSelector | default $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pool.tolerations | default $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
