{{/* Names. */}}
{{- define "sidereal.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "sidereal.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "sidereal.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "sidereal.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sidereal.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sidereal.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels: of whatever the release has, and of one component (dict "root" $ "component" "api"). */}}
{{- define "sidereal.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "sidereal.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sidereal
{{- end -}}

{{- define "sidereal.selector" -}}
app.kubernetes.io/name: {{ include "sidereal.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Of pods: without the chart's version, so that a new chart alone makes no new pods. */}}
{{- define "sidereal.podLabels" -}}
{{ include "sidereal.selector" . }}
app.kubernetes.io/part-of: sidereal
{{- end -}}

{{- define "sidereal.componentLabels" -}}
{{ include "sidereal.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* What the values come to. */}}
{{- define "sidereal.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "sidereal.host" -}}
{{- if .Values.ingress.enabled -}}{{ .Values.ingress.host }}{{- else if .Values.gateway.enabled -}}{{ .Values.gateway.host }}{{- end -}}
{{- end -}}

{{- define "sidereal.publicUrl" -}}
{{- $host := include "sidereal.host" . -}}
{{- if .Values.config.publicUrl -}}
{{- .Values.config.publicUrl | trimSuffix "/" -}}
{{- else if $host -}}
{{- $https := or .Values.gateway.enabled .Values.ingress.tls.enabled -}}
{{- $path := .Values.gateway.enabled | ternary .Values.gateway.path .Values.ingress.path -}}
{{- printf "%s://%s%s" (ternary "https" "http" $https) $host $path | trimSuffix "/" -}}
{{- else -}}
http://127.0.0.1:8080
{{- end -}}
{{- end -}}

{{/* Of the public URL, whatever leads there. */}}
{{- define "sidereal.basePath" -}}
{{- get (urlParse (include "sidereal.publicUrl" .)) "path" -}}
{{- end -}}

{{/* Keycloak: that to develop with, if there is one, else the one that values name. */}}
{{- define "sidereal.issuer" -}}
{{- if not .Values.keycloak.dev.enabled -}}
{{- .Values.config.auth.issuer -}}
{{- else if include "sidereal.host" . -}}
https://{{ include "sidereal.host" . }}{{ .Values.keycloak.dev.path }}/realms/sidereal
{{- end -}}
{{- end -}}

{{- define "sidereal.issuerInside" -}}
{{- if .Values.keycloak.dev.enabled -}}
http://{{ include "sidereal.fullname" . }}-keycloak:8080{{ .Values.keycloak.dev.path }}/realms/sidereal
{{- else -}}
{{- .Values.config.auth.internalUrl -}}
{{- end -}}
{{- end -}}

{{/* The realm that is asked, by the URL of an issuer: empty if that is no Keycloak's. */}}
{{- define "sidereal.realm" -}}
{{- regexFind "/realms/[A-Za-z0-9_-]+/?$" . | trimPrefix "/realms/" | trimSuffix "/" -}}
{{- end -}}

{{- define "sidereal.trustedProxies" -}}
{{- if kindIs "invalid" .Values.config.trustedProxies -}}
{{- ternary 1 0 (or .Values.ingress.enabled .Values.gateway.enabled) -}}
{{- else -}}
{{- .Values.config.trustedProxies -}}
{{- end -}}
{{- end -}}

{{/* The secret with the database's URL, and its key: empty for SQLite. */}}
{{- define "sidereal.databaseSecret" -}}
{{- if .Values.postgres.cnpg.enabled -}}
{{ include "sidereal.fullname" . }}-db-app
{{- else if .Values.database.existingSecret.name -}}
{{ .Values.database.existingSecret.name }}
{{- else if .Values.database.url -}}
{{ include "sidereal.fullname" . }}
{{- end -}}
{{- end -}}

{{- define "sidereal.databaseKey" -}}
{{- if .Values.postgres.cnpg.enabled -}}uri
{{- else if .Values.database.existingSecret.name -}}{{ .Values.database.existingSecret.key }}
{{- else -}}database-url
{{- end -}}
{{- end -}}

{{/* Whether anything lies on the volume. */}}
{{- define "sidereal.embedded" -}}
{{- if or (not (include "sidereal.databaseSecret" .)) (not .Values.results.url) -}}true{{- end -}}
{{- end -}}

{{/* The ports that the server's pods may reach, as JSON: those that values name, and those of URLs that values name. */}}
{{- define "sidereal.egressPorts" -}}
{{- $v := .Values -}}
{{- $urls := list -}}
{{- if and (eq $v.config.auth.mode "oidc") (not $v.keycloak.dev.enabled) -}}
{{- $urls = append $urls (default $v.config.auth.issuer $v.config.auth.internalUrl) -}}
{{- end -}}
{{- if hasPrefix "s3:" $v.results.url -}}
{{- $urls = append $urls $v.results.s3.endpoint -}}
{{- end -}}
{{- if not (or $v.postgres.cnpg.enabled $v.database.existingSecret.name) -}}
{{- $urls = append $urls $v.database.url -}}
{{- end -}}
{{- $urls = append $urls $v.config.dashboard.fastly_url -}}
{{- $ports := list -}}
{{- range $v.networkPolicy.egressPorts -}}
{{- $ports = append $ports (int .) -}}
{{- end -}}
{{- range compact $urls -}}
{{- $port := regexFind "^[a-z]+://[^/?#]*" . | splitList "@" | last | regexFind ":[0-9]+$" | trimPrefix ":" -}}
{{- $ports = append $ports (int (default (get (dict "http" 80 "https" 443 "postgres" 5432 "postgresql" 5432) (splitList ":" . | first)) $port)) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{- define "sidereal.devWeb" -}}
{{- if and .Values.config.devMode.enabled .Values.config.devMode.web.enabled -}}true{{- end -}}
{{- end -}}

{{- define "sidereal.devApi" -}}
{{- if and .Values.config.devMode.enabled .Values.config.devMode.api.enabled -}}true{{- end -}}
{{- end -}}

{{/* Whether a pod of the API ends before the next one begins: nobody takes its requests over meanwhile. */}}
{{- define "sidereal.recreated" -}}
{{- if or (include "sidereal.embedded" .) (include "sidereal.devApi" .) -}}true{{- end -}}
{{- end -}}

{{/* The settings that are no secrets, as variables. */}}
{{- define "sidereal.settings" -}}
{{- $auth := .Values.config.auth -}}
SIDEREAL_LISTEN: 0.0.0.0:8080
SIDEREAL_INTERNAL_LISTEN: 0.0.0.0:9090
SIDEREAL_PUBLIC_URL: {{ include "sidereal.publicUrl" . | quote }}
SIDEREAL_DATA_DIR: /data
{{- with .Values.results.url }}
SIDEREAL_RESULTS_URL: {{ . | quote }}
{{- end }}
{{- with .Values.config.services }}
SIDEREAL_SERVICES: {{ join "," . | quote }}
{{- end }}
SIDEREAL_MAX_BODY: {{ .Values.config.maxBody | quote }}
{{- if not (include "sidereal.recreated" .) }}
SIDEREAL_SHUTDOWN_DELAY: {{ .Values.config.shutdownDelay | quote }}
{{- end }}
SIDEREAL_TRUSTED_PROXIES: {{ include "sidereal.trustedProxies" . | quote }}
SIDEREAL_LOG__FORMAT: {{ .Values.config.log.format }}
SIDEREAL_LOG__LEVEL: {{ .Values.config.log.level | quote }}
SIDEREAL_AUTH__MODE: {{ $auth.mode }}
{{- if eq $auth.mode "local" }}
# Pods listen on their own address in any case; who reaches it is the network policy's.
SIDEREAL_AUTH__ALLOW_NON_LOOPBACK: "true"
{{- else }}
SIDEREAL_AUTH__ISSUER: {{ include "sidereal.issuer" . | quote }}
{{- with include "sidereal.issuerInside" . }}
SIDEREAL_AUTH__INTERNAL_URL: {{ . | quote }}
{{- end }}
SIDEREAL_AUTH__CLIENT_ID: {{ $auth.clientId | quote }}
SIDEREAL_AUTH__AUDIENCE: {{ $auth.audience | quote }}
SIDEREAL_AUTH__CLI_CLIENT_ID: {{ $auth.cliClientId | quote }}
{{- end }}
{{- range $section := list "quota" "cutout" "engine" "dashboard" }}
{{- range $key, $value := get $.Values.config $section }}
{{- /* Helm reads whole numbers as floats, and would write large ones as 1e+09. */}}
{{ printf "SIDEREAL_%s__%s" (upper $section) (upper $key) }}: {{ if and (kindIs "float64" $value) (eq (floor $value) $value) }}{{ int64 $value | quote }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- end }}
{{- if hasPrefix "s3:" .Values.results.url }}
AWS_REGION: {{ .Values.results.s3.region | quote }}
{{- with .Values.results.s3.endpoint }}
AWS_ENDPOINT: {{ . | quote }}
{{- end }}
{{- if .Values.results.s3.allowHttp }}
AWS_ALLOW_HTTP: "true"
{{- end }}
{{- end }}
{{- if or .Values.config.file .Values.config.fileSecret }}
SIDEREAL_CONFIG: /etc/sidereal/sidereal.toml
{{- end }}
{{- end -}}

{{/*
What all pods have (dict "root" $ "user" 65532 "account" NAME). No token: none asks Kubernetes for anything, and workload
identity brings one of its own. Pods that are not the server's have the account `default`, which has no such rights.
*/}}
{{- define "sidereal.pod" -}}
serviceAccountName: {{ default "default" .account | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "sidereal.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Secrets, as variables: what a server must not have in a ConfigMap. First one of them (list NAME SECRET KEY). */}}
{{- define "sidereal.fromSecret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 | quote }}
      key: {{ index . 2 | quote }}
{{- end -}}

{{- define "sidereal.databaseEnv" -}}
{{- with include "sidereal.databaseSecret" . }}
{{ include "sidereal.fromSecret" (list "SIDEREAL_DATABASE_URL" . (include "sidereal.databaseKey" $)) }}
{{- end }}
{{- end -}}

{{- define "sidereal.secretEnv" -}}
{{- include "sidereal.databaseEnv" . }}
{{- $there := .Values.config.auth.existingSecret }}
{{- if ne .Values.config.auth.mode "oidc" }}
{{- else if $there.name }}
{{ include "sidereal.fromSecret" (list "SIDEREAL_AUTH__CLIENT_SECRET" $there.name $there.key) }}
{{- else }}
{{ include "sidereal.fromSecret" (list "SIDEREAL_AUTH__CLIENT_SECRET" (include "sidereal.fullname" .) "client-secret") }}
{{- end }}
{{- with .Values.config.dashboardSecret }}
{{- if and .name .buildSecretKey }}
{{ include "sidereal.fromSecret" (list "SIDEREAL_DASHBOARD__BUILD_SECRET" .name .buildSecretKey) }}
{{- end }}
{{- if and .name .fastlyKeyKey }}
{{ include "sidereal.fromSecret" (list "SIDEREAL_DASHBOARD__FASTLY_KEY" .name .fastlyKeyKey) }}
{{- end }}
{{- end }}
{{- with .Values.results.s3.existingSecret }}
{{- if .name }}
{{ include "sidereal.fromSecret" (list "AWS_ACCESS_KEY_ID" .name .accessKeyIdKey) }}
{{ include "sidereal.fromSecret" (list "AWS_SECRET_ACCESS_KEY" .name .secretAccessKeyKey) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "sidereal.volumeMounts" -}}
- name: data
  mountPath: /data
- name: tmp
  mountPath: /tmp
{{- if or .Values.config.file .Values.config.fileSecret }}
- name: file
  mountPath: /etc/sidereal
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sidereal.volumes" -}}
- name: data
  {{- if and .Values.persistence.enabled (include "sidereal.embedded" .) }}
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-data" (include "sidereal.fullname" .)) .Values.persistence.existingClaim | quote }}
  {{- else }}
  emptyDir:
    sizeLimit: 1Gi
  {{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 10Gi
{{- if .Values.config.fileSecret }}
- name: file
  secret:
    secretName: {{ .Values.config.fileSecret | quote }}
{{- else if .Values.config.file }}
- name: file
  secret:
    secretName: {{ include "sidereal.fullname" . }}-file
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
