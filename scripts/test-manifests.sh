#!/usr/bin/env bash
# The manifests that metamers sweep --on kubernetes writes, held against the published
# OpenAPI schemas of Kubernetes; manifests with a mistake must be refused.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
METAMERS_MANIFESTS=$dir go test -count=1 -run '^TestManifests$' ./metamerkit/sweep
go mod download -C tools/manifests sigs.k8s.io/kubectl-validate # it carries the schemas
METAMERS_MANIFESTS=$dir go test -C tools/manifests -count=1 -v .
