{{/* What each process may do where endpoints live. Never secrets, never a wildcard: read this to know what Kindler can do to a cluster. */}}

{{/* Of these, writing ReplicaSets, ControllerRevisions, Services and HorizontalPodAutoscalers is narrowed by policies: policy-controller.yaml. */}}
{{- define "kindler.rights.controller" -}}
- apiGroups: [serving.kindler.dev]
  resources: [models, endpointconfigs, endpoints]
  verbs: [get, list, watch]
- apiGroups: [serving.kindler.dev]
  resources: [models/status, endpointconfigs/status, endpoints/status]
  verbs: [update]
# Its children name the Endpoint as their owner: where OwnerReferencesPermissionEnforcement is on, that needs this right.
- apiGroups: [serving.kindler.dev]
  resources: [endpoints/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [replicasets, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [replicasets/scale]
  verbs: [patch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- include "kindler.rights.foreignMetrics" . }}
{{- end }}

{{/* Of these, patching pods, deleting pods and scaling ReplicaSets are narrowed by policies: policy-activator.yaml. */}}
{{- define "kindler.rights.activator" -}}
- apiGroups: [serving.kindler.dev]
  resources: [endpoints]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [replicasets/scale]
  verbs: [patch]
{{- end }}

{{- define "kindler.rights.metrics" -}}
- apiGroups: [serving.kindler.dev]
  resources: [endpoints]
  verbs: [get, list, watch]
{{- include "kindler.rights.foreignMetrics" . }}
{{- end }}

{{/* Metrics of other servers that scaling policies may name. A Prometheus is asked without any right of the cluster. */}}
{{- define "kindler.rights.foreignMetrics" -}}
{{- with .Values.autoscaling.externalMetrics }}
- apiGroups: [external.metrics.k8s.io]
  resources: {{ toJson . }}
  verbs: [get, list]
{{- end }}
{{- end }}
