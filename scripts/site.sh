#!/usr/bin/env bash
# Builds the site of the documentation into out/site: scripts/site.sh [mkdocs arguments].
# Warnings, such as broken links, are errors. No page loads anything from elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
env=$PWD/.cache/site
if ! cmp -s scripts/site-requirements.txt "$env/requirements.txt"; then
  rm -rf "$env"
  python3 -m venv "$env"
  "$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r scripts/site-requirements.txt
  cp scripts/site-requirements.txt "$env/requirements.txt"
fi
NO_MKDOCS_2_WARNING=1 "$env/bin/mkdocs" build --strict --quiet "$@"
elsewhere='<(script|img|iframe)[^>]* src="https?://[^"]*|<link[^>]* rel="(stylesheet|preconnect)"[^>]*'
if grep -rhoE "$elsewhere" out/site --include='*.html' | grep 'https\?://' | sort -u | grep .; then
  echo "site: pages load the files above from elsewhere" >&2
  exit 1
fi
echo "site: out/site has $(find out/site -name '*.html' | wc -l) pages" >&2
