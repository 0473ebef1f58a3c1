// Package kinds lists the kinds of integration. What notifies knows none of them; the
// console gives it this list.
package kinds

import (
	"patrol/internal/notify"
	"patrol/internal/notify/chronicle"
	"patrol/internal/notify/elasticsearch"
	"patrol/internal/notify/email"
	"patrol/internal/notify/http"
	"patrol/internal/notify/jira"
	"patrol/internal/notify/opensearch"
	"patrol/internal/notify/pagerduty"
	"patrol/internal/notify/s3"
	"patrol/internal/notify/securityhub"
	"patrol/internal/notify/shoutrrr"
	"patrol/internal/notify/slack"
	"patrol/internal/notify/splunk"
	"patrol/internal/notify/sumologic"
	"patrol/internal/notify/syslog"
	"patrol/internal/notify/teams"
)

// All returns them in the order in which people look for them.
func All() []notify.Kind {
	return []notify.Kind{
		slack.Kind(), teams.Kind(), pagerduty.Kind(), jira.Kind(), email.Kind(), http.Kind(), splunk.Kind(), elasticsearch.Kind(), opensearch.Kind(),
		sumologic.Kind(), s3.Kind(), securityhub.Kind(), syslog.Kind(), chronicle.Kind(), shoutrrr.Kind(),
	}
}
