{{- define "ringboot.name" -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ringboot.selector" -}}
app.kubernetes.io/name: ringboot
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ringboot.labels" -}}
{{ include "ringboot.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "ringboot.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* Mistakes that the API server would not find. */}}
{{- define "ringboot.check" -}}
{{- $files := .Values.files -}}
{{- $given := list -}}
{{- range $kind := list "pvc" "image" "init" "hostPath" -}}
{{- if get $files $kind }}{{ $given = append $given $kind }}{{ end -}}
{{- end -}}
{{- if ne (len $given) 1 -}}
{{- fail (printf "files: name exactly one of pvc, image, init, hostPath; there are %d" (len $given)) -}}
{{- end -}}
{{- if not (has .Values.mode (list "hostNetwork" "loadBalancer")) -}}
{{- fail (printf "mode: hostNetwork or loadBalancer, not %q" .Values.mode) -}}
{{- end -}}
{{- if not (has .Values.seccomp.type (list "RuntimeDefault" "Localhost")) -}}
{{- fail "seccomp.type: RuntimeDefault or Localhost" -}}
{{- end -}}
{{- if and .Values.seccomp.install (or (ne .Values.mode "hostNetwork") (ne .Values.seccomp.type "Localhost")) -}}
{{- fail "seccomp.install needs mode hostNetwork and seccomp.type Localhost" -}}
{{- end -}}
{{- $_ := required "admin.tokenSecret: name a Secret with the admin token; the admin port is open to the pod network" .Values.admin.tokenSecret -}}
{{- end -}}

{{/* The pod: the same in both modes but for the network and what port 69 takes. */}}
{{- define "ringboot.pod" -}}
{{- $host := eq .Values.mode "hostNetwork" -}}
metadata:
  labels:
    {{- include "ringboot.labels" . | nindent 4 }}
  {{- if or .Values.podAnnotations .Values.config }}
  annotations:
    {{- if .Values.config }}
    # A changed configuration makes new pods.
    ringboot/config: {{ .Values.config | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- end }}
spec:
  {{- if $host }}
  hostNetwork: true
  dnsPolicy: Default
  {{- end }}
  automountServiceAccountToken: false
  # Variables of Services, as RINGBOOT_PORT, would be taken for settings.
  enableServiceLinks: false
  # The drain, and some seconds to end.
  terminationGracePeriodSeconds: {{ add .Values.drainTimeout 5 (ternary 0 .Values.leaveSeconds $host) }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- if not $host }}
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    {{- end }}
    {{- /* The init container that brings the profile cannot run under it yet. */}}
    seccompProfile:
      type: RuntimeDefault
  {{- if or .Values.files.init .Values.seccomp.install }}
  initContainers:
    {{- if .Values.seccomp.install }}
    - name: seccomp
      image: {{ .Values.seccomp.installImage }}
      command: [sh, -c, 'mkdir -p "$(dirname "/node/$PROFILE")" && cp /profile/seccomp.json "/node/$PROFILE"']
      env:
        - name: PROFILE
          value: {{ .Values.seccomp.profile | quote }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - {name: profile, mountPath: /profile, readOnly: true}
        - {name: node-profiles, mountPath: /node}
    {{- end }}
    {{- with .Values.files.init }}
    - name: files
      image: {{ required "files.init.image" .image }}
      command: {{ required "files.init.command" .command | toJson }}
      securityContext:
        allowPrivilegeEscalation: false
        capabilities:
          drop: [ALL]
      volumeMounts:
        - {name: files, mountPath: /srv/tftp}
    {{- end }}
  {{- end }}
  containers:
    - name: ringboot
      image: {{ include "ringboot.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - serve
        - --root=/srv/tftp
        {{- if $host }}
        {{- with .Values.dataPorts }}
        - --data-ports={{ . }}
        {{- end }}
        {{- else }}
        - --listen=:6969
        - --single-port
        {{- end }}
        {{- range .Values.allow }}
        - --allow={{ . }}
        {{- end }}
        - --io={{ .Values.io }}
        - --drain-timeout={{ .Values.drainTimeout }}
        - --admin={{ .Values.admin.address }}:{{ .Values.admin.port }}
        - --admin-token-file=/etc/ringboot/admin/token
        {{- if .Values.config }}
        - --config=/etc/ringboot/config/ringboot.toml
        {{- end }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      ports:
        - {name: tftp, containerPort: {{ ternary 69 6969 $host }}, protocol: UDP}
        - {name: admin, containerPort: {{ .Values.admin.port }}, protocol: TCP}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        {{- if $host }}
        # The node's port 69: root with this capability and no other, because Kubernetes gives none to other users.
        runAsUser: 0
        {{- end }}
        capabilities:
          drop: [ALL]
          {{- if $host }}
          add: [NET_BIND_SERVICE]
          {{- end }}
        {{- if eq .Values.seccomp.type "Localhost" }}
        seccompProfile:
          type: Localhost
          localhostProfile: {{ .Values.seccomp.profile }}
        {{- end }}
      # Every shard's loop turned within the last seconds.
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 10
        failureThreshold: 3
      # Listening, and not draining.
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        failureThreshold: 1
      {{- if and (not $host) (gt (int .Values.leaveSeconds) 0) }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.leaveSeconds }}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: files, mountPath: /srv/tftp, readOnly: true}
        - {name: admin, mountPath: /etc/ringboot/admin, readOnly: true}
        {{- if .Values.config }}
        - {name: config, mountPath: /etc/ringboot/config, readOnly: true}
        {{- end }}
  volumes:
    - name: files
      {{- with .Values.files.pvc }}
      persistentVolumeClaim:
        claimName: {{ . }}
        readOnly: true
      {{- end }}
      {{- with .Values.files.image }}
      image:
        reference: {{ required "files.image.reference" .reference }}
        pullPolicy: {{ .pullPolicy | default "IfNotPresent" }}
      {{- end }}
      {{- if .Values.files.init }}
      emptyDir: {}
      {{- end }}
      {{- with .Values.files.hostPath }}
      hostPath:
        path: {{ . }}
        type: Directory
      {{- end }}
    - name: admin
      secret:
        secretName: {{ .Values.admin.tokenSecret }}
    {{- if .Values.config }}
    - name: config
      configMap:
        name: {{ include "ringboot.name" . }}
        items:
          - {key: ringboot.toml, path: ringboot.toml}
    {{- end }}
    {{- if .Values.seccomp.install }}
    - name: profile
      configMap:
        name: {{ include "ringboot.name" . }}
        items:
          - {key: seccomp.json, path: seccomp.json}
    - name: node-profiles
      hostPath:
        path: /var/lib/kubelet/seccomp
        type: DirectoryOrCreate
    {{- end }}
  {{- if not $host }}
  # A node more that fails or is drained costs one pod.
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "ringboot.selector" . | nindent 10 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
