#!/bin/sh
# Scans every node of the fleet now, waits, and prints the worst of what was found.
#
#   PATROL_CONSOLE=https://console.example:8080 PATROL_TOKEN=patrol_api_… examples/scan-everything.sh
#
# Needs curl and jq. PATROL_CACERT names the console's certificate where it is
# self-signed. Exits 1 if a scan did not complete within PATROL_WAIT seconds (3600).
set -eu

console=${PATROL_CONSOLE:-http://127.0.0.1:8080}
: "${PATROL_TOKEN:?set PATROL_TOKEN to an api token: patrol tokens create --kind api}"

# The token goes through a file descriptor: a process list would show an argument.
api() {
  method=$1 path=$2
  shift 2
  curl --silent --show-error --fail-with-body ${PATROL_CACERT:+--cacert "$PATROL_CACERT"} \
    --request "$method" --header @- --header 'Content-Type: application/json' "$@" "$console/api/v1/$path" <<EOF
Authorization: Bearer $PATROL_TOKEN
EOF
}

# Every list has pages: the "next" of one is the "cursor" of the one that follows.
cursor= nodes='[]'
while :; do
  page=$(api GET "nodes?state=active&limit=500&cursor=$cursor")
  nodes=$(printf '%s\n%s' "$nodes" "$page" | jq -cs '.[0] + [.[1].items[].id]')
  cursor=$(printf '%s' "$page" | jq -r .next)
  [ -n "$cursor" ] || break
done
count=$(printf '%s' "$nodes" | jq length)
[ "$count" -gt 0 ] || { echo "no node is active: start an agent first"; exit 1; }

# A node that is being scanned already joins that scan.
scans=$(api POST scans --data "{\"nodes\": $nodes}" | jq -r '.items[].id')
echo "scanning $count nodes"

failed=0
deadline=$(($(date +%s) + ${PATROL_WAIT:-3600}))
for scan in $scans; do
  while :; do
    answer=$(api GET "scans/$scan")
    state=$(printf '%s' "$answer" | jq -r .state)
    case $state in
      complete) break ;;
      queued | collecting | matching) ;;
      *) echo "scan $scan is $state" >&2; failed=1; break ;;
    esac
    [ "$(date +%s)" -lt "$deadline" ] || { echo "scan $scan is still $state: its node may be away" >&2; failed=1; break; }
    sleep 1
  done
done

echo "the worst of what was found:"
api GET 'findings?limit=10' | jq -r '.items[] | [.severity, .vulnerability, .component.name, .component.version, (.fixed[0] // "no fix yet")] | @tsv'
exit $failed
