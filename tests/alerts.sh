#!/bin/sh
# alerts.sh PROGRAM: what Prometheus makes of this program: promtool checks and tests the alert rules, checks the scrape
# configuration of docs/watch.md and what the dashboard asks, and checks the metrics that a server of the sample has.
set -eu
program=$1
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

promtool check rules packaging/prometheus/alerts.yml
promtool test rules tests/alerts.yml

sed -n '/^```yaml$/,/^```$/p' docs/watch.md | sed -e '/^```/d' -e "s|/etc/prometheus|$folder|" >"$folder/prometheus.yml"
cp packaging/prometheus/alerts.yml "$folder/rbc-usage-alerts.yml"
echo secret >"$folder/rbc-usage.password"
promtool check config "$folder/prometheus.yml"

# What the dashboard asks, as if it were rules. Grafana puts in the interval.
jq '{groups: [{name: "dashboard", rules: [.panels[].targets[].expr | gsub("[$]__rate_interval"; "5m")
    | {record: "asked", expr: .}] | unique}]}' packaging/grafana/dashboard.json >"$folder/dashboard.yml"
promtool check rules --lint=none "$folder/dashboard.yml"

config=$folder/sample/cloudusage.cfg
"$program" sample "$folder/sample" >"$folder/out"
"$program" initdb --config "$config" >>"$folder/out"
"$program" import --config "$config" >>"$folder/out" 2>&1
"$program" serve --config "$config" --bind 127.0.0.1:0 >"$folder/listening" 2>"$folder/log" &
server=$!
until address=$(sed -n 's/^listening on //p' "$folder/listening") && [ -n "$address" ]; do
    kill -0 "$server"
    sleep 0.1
done
curl -sS --fail --noproxy '*' "$address/usage/nobody" >>"$folder/out" 2>&1 || true
# Too long a head; a counter begins with the first that is refused.
curl -sS --noproxy '*' -H "x: $(printf '%020000d' 0)" "$address/" >>"$folder/out"
curl -sS --fail --noproxy '*' "$address/metrics" >"$folder/metrics"
for metric in $(jq -r '.panels[].targets[].expr' packaging/grafana/dashboard.json |
    grep -Eo '(rbc_usage|process)_[a-z_]+' | sort -u); do
    # This server has no certificate.
    [ "$metric" != rbc_usage_certificate_end_timestamp_seconds ] || continue
    grep -q "^# TYPE ${metric%_bucket} " "$folder/metrics" || {
        echo "alerts: the dashboard asks for $metric, which the server does not have" >&2
        exit 1
    }
done
# Two gauges count days: that is no unit of time to be in seconds.
lint=$(promtool check metrics <"$folder/metrics" 2>&1) || true
if echo "$lint" | grep -v '^rbc_usage_\(missing\|open\)_days use base unit "seconds" instead of "days"$' | grep .; then
    exit 1
fi
echo 'ok: alert rules, scrape configuration and metrics'
