{{/*
Rights of each process in the namespaces with endpoints: no Secrets and no wildcards.
Read this file to see what Kindler can do in a cluster.
*/}}

{{/* policy-controller.yaml limits writes of ReplicaSets, ControllerRevisions, Services and HPAs. */}}
{{- define "kindler.rights.controller" -}}
- apiGroups: [serving.kindler.dev]
  resources: [models, endpointconfigs, endpoints]
  verbs: [get, list, watch]
- apiGroups: [serving.kindler.dev]
  resources: [models/status, endpointconfigs/status, endpoints/status]
  verbs: [update]
# Owner references to an Endpoint need this right where the admission plugin OwnerReferencesPermissionEnforcement is on.
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

{{/* policy-activator.yaml limits patches and deletes of pods, and scaling of ReplicaSets. */}}
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

{{/* External metrics that scaling policies may use. Queries to Prometheus need no rights in the cluster. */}}
{{- define "kindler.rights.foreignMetrics" -}}
{{- with .Values.autoscaling.externalMetrics }}
- apiGroups: [external.metrics.k8s.io]
  resources: {{ toJson . }}
  verbs: [get, list]
{{- end }}
{{- end }}
