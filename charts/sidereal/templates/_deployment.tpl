{{/*
A deployment of the server (dict "root" $ "component" "api"|"worker" "role" … "values" .Values.api): both kinds differ
in their role, and in what their values say.
*/}}
{{- define "sidereal.deployment" -}}
{{- $ := .root -}}
{{- $values := .values -}}
{{- $selector := include "sidereal.selector" (dict "root" $ "component" .component) -}}
{{- $dev := and (eq .component "api") (include "sidereal.devApi" $ | eq "true") -}}
{{- $scaled := and (not $.Values.config.devMode.enabled) (or $values.autoscaling.enabled (and (eq .component "worker") $values.keda.enabled)) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "sidereal.fullname" $ }}-{{ .component }}
  labels:
    {{- include "sidereal.componentLabels" (dict "root" $ "component" .component) | nindent 4 }}
spec:
  {{- if not $scaled }}
  replicas: {{ $.Values.config.devMode.enabled | ternary 1 $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    {{- if or (include "sidereal.embedded" $) $dev }}
    # A volume that only one pod may have.
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
    {{- end }}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "sidereal.podLabels" (dict "root" $ "component" .component) | nindent 8 }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        # A change of what they hold makes new pods.
        checksum/config: {{ printf "%s%s" (include "sidereal.settings" $) $.Values.config.file | sha256sum | quote }}
        checksum/secret: {{ printf "%s %s" $.Values.database.url $.Values.config.auth.clientSecret | sha256sum | quote }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "sidereal.pod" (dict "root" $ "user" ($dev | ternary 1000 65532) "account" (include "sidereal.serviceAccount" $)) | nindent 6 }}
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      affinity:
        {{- if $values.affinity }}
        {{- toYaml $values.affinity | nindent 8 }}
        {{- else }}
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector:
                  matchLabels:
                    {{- $selector | nindent 20 }}
        {{- end }}
      {{- if $.Values.topologySpreadConstraints.enabled }}
      topologySpreadConstraints:
        {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: {{ $.Values.topologySpreadConstraints.whenUnsatisfiable }}
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
        {{- end }}
      {{- end }}
      {{- if eq $.Values.migrations.mode "initContainer" }}
      initContainers:
        # Pods that start together take turns, by a lock in the database.
        - name: migrate
          image: {{ include "sidereal.image" $ | quote }}
          imagePullPolicy: {{ $.Values.image.pullPolicy }}
          args: [migrate]
          env:
            {{- include "sidereal.databaseEnv" $ | nindent 12 }}
            - name: SIDEREAL_DATA_DIR
              value: /data
          resources:
            {{- toYaml $.Values.migrations.resources | nindent 12 }}
          securityContext:
            {{- include "sidereal.containerSecurity" $ | nindent 12 }}
          volumeMounts:
            - name: data
              mountPath: /data
            - name: tmp
              mountPath: /tmp
      {{- end }}
      containers:
        - name: sidereal
          image: {{ include "sidereal.image" $ | quote }}
          imagePullPolicy: {{ $.Values.image.pullPolicy }}
          args: [serve]
          ports:
            - name: http
              containerPort: 8080
            - name: internal
              containerPort: 9090
          envFrom:
            - configMapRef:
                name: {{ include "sidereal.fullname" $ | quote }}
            {{- with $.Values.extraEnvFrom }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          env:
            - name: SIDEREAL_ROLE
              value: {{ .role | quote }}
            {{- if $values.jobs }}
            - name: SIDEREAL_WORKERS
              value: {{ $values.jobs | quote }}
            {{- end }}
            {{- include "sidereal.secretEnv" $ | nindent 12 }}
            {{- with $.Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          # All on the internal listener: the public one answers only for its own host in mode local.
          startupProbe:
            httpGet:
              path: /livez
              port: internal
            periodSeconds: 2
            # Ten minutes: it may have a schema to bring up to date.
            failureThreshold: 300
          livenessProbe:
            httpGet:
              path: /livez
              port: internal
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: {{ $.Values.config.devMode.enabled | ternary 30 6 }}
          readinessProbe:
            httpGet:
              path: /readyz
              port: internal
            periodSeconds: 5
            # It gives database and object store five seconds each.
            timeoutSeconds: 12
            failureThreshold: {{ $.Values.config.devMode.enabled | ternary 30 2 }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "sidereal.containerSecurity" $ | nindent 12 }}
          volumeMounts:
            {{- include "sidereal.volumeMounts" $ | nindent 12 }}
            {{- if $dev }}
            - name: dev
              mountPath: /src
              subPath: src
            - name: dev
              mountPath: /cache
              subPath: cache
            {{- end }}
      volumes:
        {{- include "sidereal.volumes" $ | nindent 8 }}
        {{- if $dev }}
        - name: dev
          persistentVolumeClaim:
            claimName: {{ default (printf "%s-api-dev" (include "sidereal.fullname" $)) $.Values.config.devMode.api.pvc.existingClaim | quote }}
        {{- end }}
{{- end -}}
