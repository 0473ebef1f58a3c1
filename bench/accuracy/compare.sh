#!/bin/sh
# Compares Patrol with osv-scanner on images, with the same feed, offline.
#
#   bench/accuracy/compare.sh PATROL FEED TARGET...
#
# PATROL is the binary, FEED a directory laid out as OSV publishes, a TARGET a
# `docker save` archive, or a tree of which an archive is made. osv-scanner is
# what PATH has; nothing is downloaded.
set -eu

[ $# -ge 3 ] || { echo "usage: compare.sh PATROL FEED TARGET..." >&2; exit 1; }
command -v osv-scanner >/dev/null || {
	echo "missing: osv-scanner on PATH (go install github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.5.0)" >&2
	exit 1
}
patrol=$1 feed=$(cd "$2" && pwd)
shift 2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/known"
ln -s "$feed" "$work/known/osv-scalibr"
"$patrol" feed update --feed-url "$feed" --data-dir "$work/data" --cve-url= --epss-url= --kev-url= --nvd-url= >/dev/null

failed=0
for target in "$@"; do
	echo "== $target"
	archive=$target
	if [ -d "$target" ]; then
		mkdir -p "$work/tree"
		ln -sfn "$(cd "$target" && pwd)" "$work/tree/rootfs"
		"$here/../image.sh" "$work/tree"
		archive=$work/tree/image.tar
	fi
	"$patrol" scan "docker-archive:$archive" --data-dir "$work/data" \
		--output "json=$work/patrol.json" --output "cyclonedx=$work/patrol.cdx.json"
	# It exits 1 where it finds anything. Without os/rpm it knows no rpm database.
	osv-scanner scan image --archive --offline --local-db-path "$work/known" --all-packages \
		--experimental-plugins artifact --experimental-plugins os/rpm \
		--format json --output-file "$work/osv.json" "$archive" >"$work/log" 2>&1 || [ -s "$work/osv.json" ] || {
		cat "$work/log" >&2
		exit 1
	}
	(cd "$here" && go run . "$feed" "$work/patrol.json" "$work/patrol.cdx.json" "$work/osv.json") || failed=1
	rm -f "$work/osv.json"
done
exit $failed
