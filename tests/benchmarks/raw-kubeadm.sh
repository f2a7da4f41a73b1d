#!/usr/bin/env bash
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The floor that `slipway.kube.cluster` is held against: the same kubeadm steps over SSH, on the same hosts, from the same
# sources, to the same end (real pods on every node that reach each other), written as a person who knows these hosts
# would: all hosts at once wherever kubeadm allows it, nothing checked, nothing recorded, nothing explained.
#
# It is told everything by its environment:
#   CONTROL_PLANE, WORKERS     addresses;  ENDPOINT  address and port of the API;  SSH  the ssh command with its options
#   VERSION, PAUSE, CHECK      Kubernetes version, sandbox image, image of the pods that check (agnhost)
#   POD_SUBNET, POD_NETWORK    network of the pods; file with the pod network's manifest
set -euo pipefail
: "${CONTROL_PLANE:?}" "${ENDPOINT:?}" "${SSH:?}" "${VERSION:?}" "${PAUSE:?}" "${CHECK:?}" "${POD_SUBNET:?}" "${POD_NETWORK:?}"
WORKERS=${WORKERS:-}
started=$EPOCHREALTIME

on() { # HOST [VARIABLE=value...]: run the script on standard input there, as root
  local host=$1
  shift
  $SSH "$host" "sudo env $(printf '%q ' LC_ALL=C "$@") bash -euo pipefail -s"
}

phase() {
  printf 'phase %.1f %s\n' "$(awk "BEGIN {print $EPOCHREALTIME - $started}")" "$1"
}

everywhere() { # HOSTS FUNCTION: all at once; fail where one fails
  local host jobs=()
  for host in $1; do
    "$2" "$host" >"$logs/$2-$host" 2>&1 &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do
    wait "$job" || { tail -n 30 "$logs"/"$2"-* >&2; exit 1; }
  done
}

prepare() {
  on "$1" VERSION="$VERSION" PAUSE="$PAUSE" ADDRESS="$1" <<'HOST'
export DEBIAN_FRONTEND=noninteractive
swapoff -a
sed -i '/\sswap\s/d' /etc/fstab
printf 'overlay\nbr_netfilter\n' >/etc/modules-load.d/k8s.conf
modprobe -a overlay br_netfilter 2>/dev/null || true # built in where there are no modules
printf '%s = 1\n' net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables >/etc/sysctl.d/k8s.conf
sysctl -q -p /etc/sysctl.d/k8s.conf

install -d /etc/apt/keyrings /etc/containerd /etc/kubernetes
read -r distribution codename < <(. /etc/os-release && echo "$ID $VERSION_CODENAME")
kubernetes=https://pkgs.k8s.io/core:/stable:/v${VERSION%.*}/deb/ docker=https://download.docker.com/linux/$distribution
curl -fsS "${kubernetes}Release.key" -o /etc/apt/keyrings/kubernetes.asc
curl -fsS "$docker/gpg" -o /etc/apt/keyrings/docker.asc
printf '%s\n' "deb [signed-by=/etc/apt/keyrings/kubernetes.asc] $kubernetes /" \
  "deb [signed-by=/etc/apt/keyrings/docker.asc] $docker $codename stable" >/etc/apt/sources.list.d/k8s.list
apt-get update -qq -o Dir::Etc::SourceList=/etc/apt/sources.list.d/k8s.list -o Dir::Etc::SourceParts=-
cat >/etc/containerd/config.toml <<TOML
version = 3
[plugins.'io.containerd.cri.v1.images']
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "$PAUSE"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = true
TOML
echo "KUBELET_EXTRA_ARGS=--node-ip=$ADDRESS" >/etc/default/kubelet
apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold \
  containerd.io "kubeadm=$VERSION-*" "kubelet=$VERSION-*" "kubectl=$VERSION-*" kubernetes-cni
apt-mark hold kubeadm kubelet kubectl containerd.io kubernetes-cni
systemctl enable --now containerd
systemctl enable --now kubelet
HOST
}

initialise() {
  on "$1" VERSION="$VERSION" ADDRESS="$1" ENDPOINT="$ENDPOINT" POD_SUBNET="$POD_SUBNET" <<'HOST'
cat >/etc/kubernetes/init.yaml <<YAML
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: $ADDRESS}
nodeRegistration: {criSocket: unix:///run/containerd/containerd.sock}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$VERSION
controlPlaneEndpoint: $ENDPOINT
networking: {podSubnet: $POD_SUBNET}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
failCgroupV1: false
evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}
imageGCHighThresholdPercent: 100
resolvConf: /run/systemd/resolve/resolv.conf
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0}
YAML
kubeadm init --config /etc/kubernetes/init.yaml --ignore-preflight-errors=SystemVerification
HOST
}

join() {
  on "$1" <<<"$join_command --ignore-preflight-errors=SystemVerification"
}

check() {
  on "$1" CHECK="$CHECK" <<'HOST'
export KUBECONFIG=/etc/kubernetes/admin.conf
soon() { # kube-proxy needs a moment for a new Service
  for try in {1..50}; do "$@" && return; sleep 0.2; done
  return 1
}
kubectl wait --for=condition=Ready nodes --all --timeout=180s
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: check}
spec:
  selector: {matchLabels: {app: check}}
  template:
    metadata: {labels: {app: check}}
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: [{operator: Exists}]
      containers: [{name: check, image: $CHECK, args: [netexec, --http-port=8080], readinessProbe: {periodSeconds: 1, httpGet: {path: /, port: 8080}}}]
---
apiVersion: v1
kind: Service
metadata: {name: check}
spec:
  type: NodePort
  selector: {app: check}
  ports: [{port: 80, targetPort: 8080}]
YAML
kubectl -n kube-system rollout status deployment/coredns --timeout=180s
kubectl rollout status daemonset/check --timeout=180s
pods=$(kubectl get pods -l app=check -o jsonpath='{.items[*].metadata.name}')
addresses=$(kubectl get pods -l app=check -o jsonpath='{.items[*].status.podIP}')
service=$(kubectl get service check -o jsonpath='{.spec.clusterIP}')
port=$(kubectl get service check -o jsonpath='{.spec.ports[0].nodePort}')
for pod in $pods; do
  for target in check:80 check.default.svc.cluster.local:80 "$service:80" $(printf '%s:8080 ' $addresses); do
    soon kubectl exec "$pod" -- /agnhost connect --timeout=10s "$target"
  done
done
for address in $addresses; do
  soon curl -fsS --max-time 10 "http://$address:8080/clientip"
done
for node in $(kubectl get nodes -o jsonpath='{.items[*].status.addresses[?(@.type=="InternalIP")].address}'); do
  soon curl -fsS --max-time 10 "http://$node:$port/hostname"
done
kubectl delete daemonset/check service/check --wait=true
HOST
}

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
phase start
everywhere "$CONTROL_PLANE $WORKERS" prepare
phase prepared
everywhere "$CONTROL_PLANE" initialise
phase initialised
join_command=$($SSH "$CONTROL_PLANE" sudo kubeadm token create --print-join-command)
$SSH "$CONTROL_PLANE" sudo kubectl --kubeconfig=/etc/kubernetes/admin.conf apply --server-side -f - <"$POD_NETWORK" >/dev/null
everywhere "$WORKERS" join
phase joined
everywhere "$CONTROL_PLANE" check
phase checked
