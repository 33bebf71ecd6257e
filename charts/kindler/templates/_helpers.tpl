{{/* Name of the installation: the names of all its objects begin with it. The processes read KINDLER_RELEASE. */}}
{{- define "kindler.fullname" -}}
{{- if contains "kindler" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-kindler" .Release.Name }}{{ end }}
{{- end }}

{{- define "kindler.labels" -}}
app.kubernetes.io/name: kindler
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Labels that select the pods of one process. Argument: (dict "root" $ "process" "controller"). */}}
{{- define "kindler.selector" -}}
app.kubernetes.io/name: kindler
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .process }}
{{- end }}

{{/* Names of the processes. With `autoscaling.api: none`, HPAs read no metrics, so there is no metrics server. */}}
{{- define "kindler.processes" -}}
{{- if eq .Values.autoscaling.api "none" }}controller activator{{ else }}controller activator metrics{{ end }}
{{- end }}

{{/* Environment variables of all processes. */}}
{{- define "kindler.commonEnv" -}}
- name: KINDLER_NAMESPACES
  value: {{ join "," .Values.namespaces | quote }}
- name: KINDLER_SYSTEM_NAMESPACE
  value: {{ .Release.Namespace }}
- name: KINDLER_RELEASE
  value: {{ include "kindler.fullname" . }}
- name: KINDLER_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: KINDLER_CLUSTER_DOMAIN
  value: {{ .Values.clusterDomain }}
- name: KINDLER_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: KINDLER_LOG_FORMAT
  value: {{ .Values.logFormat }}
- name: KINDLER_PEER_PORT
  value: "8081"
{{- end }}

{{/* Environment variables of the processes that read statistics from the activators. */}}
{{- define "kindler.peerEnv" -}}
- name: KINDLER_PEER_SELECTOR
  value: app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/component=activator
- name: KINDLER_PEER_TOKEN_PATH
  value: /var/run/secrets/kindler/peer/token
{{- with .Values.autoscaling.prometheus }}
- name: KINDLER_PROMETHEUS_URL
  value: {{ .url | quote }}
- name: KINDLER_PROMETHEUS_NAMESPACE_LABEL
  value: {{ .namespaceLabel | default "-" | quote }}
{{- end }}
{{- end }}

{{/*
The common part of the pod spec of all processes: ServiceAccount, placement, security context, volumes.
Argument: (dict "root" $ "process" "controller" "values" .Values.controller).
*/}}
{{- define "kindler.podSpec" -}}
serviceAccountName: {{ include "kindler.fullname" .root }}-{{ .process }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 0
  seccompProfile: {type: RuntimeDefault}
volumes:
  # Token for the peer port of the activator. Its audience makes it useless for other servers.
  - name: peer-token
    projected:
      sources:
        - serviceAccountToken: {audience: kindler-peer, expirationSeconds: 3600, path: token}
  {{- with .tls }}
  - name: tls
    secret: {secretName: {{ . }}}
  {{- end }}
{{- end }}

{{/* The common part of the container of all processes. The Deployment must have a port named admin with number 8082: the probes and the scrape annotation use it. */}}
{{- define "kindler.container" -}}
image: {{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [{{ .process }}]
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{ toYaml .values.resources | nindent 2 }}
volumeMounts:
  - {name: peer-token, mountPath: /var/run/secrets/kindler/peer, readOnly: true}
  {{- if .tls }}
  - {name: tls, mountPath: /var/run/secrets/kindler/tls, readOnly: true}
  {{- end }}
# healthz: the event loop runs. readyz: the process has the data that it needs to work.
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
{{- end }}

{{/* Pod annotations of a process. */}}
{{- define "kindler.podAnnotations" -}}
{{- if .root.Values.metrics.annotations }}
prometheus.io/scrape: "true"
prometheus.io/port: "8082"
prometheus.io/path: /metrics
{{- end }}
{{- with .values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
