#!/usr/bin/env bash
# The manifests that metamers sweep --on kubernetes writes, held against Kubernetes'
# published OpenAPI schema by kubectl-validate, which carries the schemas; a manifest with
# a mistake must be refused.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -C tools/manifests -o ../../bin/kubectl-validate sigs.k8s.io/kubectl-validate
METAMERS_KUBECTL_VALIDATE=$PWD/bin/kubectl-validate go test -count=1 -v -run '^TestManifests$' ./metamerkit/sweep
