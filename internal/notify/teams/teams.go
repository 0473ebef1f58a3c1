// Package teams writes notifications to a Microsoft Teams channel or chat, as Adaptive
// Cards posted to a workflow that begins with a webhook request (Microsoft's "Create
// incoming webhooks with Workflows for Microsoft Teams"). A workflow takes what it is
// sent and answers before it posts, and knows no idempotency key: where that answer is
// lost, a card comes twice.
package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Kind returns the kind of integration.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "teams", Title: "Microsoft Teams",
		Fields: []notify.Field{
			{
				Name: "webhook_url", Label: "Workflow URL", Required: true, Secret: true,
				Help:    "Of the channel: More options, Workflows, Post to a channel when a webhook request is received.",
				Example: "https://default0123.45.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/…",
			},
			notify.CA,
		},
		Open: open,
	}
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	u, err := s.URL("webhook_url")
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https":
		return nil, notify.Invalid("webhook_url", "does not begin with https://")
	case connector(u.Hostname()):
		return nil, notify.Invalid("webhook_url", "is that of an Office 365 connector, which Microsoft has retired; make a workflow instead")
	case strings.Trim(u.Path, "/") == "":
		return nil, notify.Invalid("webhook_url", "is no workflow's: nothing stands after the host")
	case u.Query().Has("api-version") && !u.Query().Has("sig"):
		return nil, notify.Invalid("webhook_url", "is cut off: it has no signature (&sig=…), without which the workflow takes nothing")
	}
	client, err := notify.HTTPClient(guard, s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	return &sender{client, u.String()}, nil
}

func connector(host string) bool {
	host = strings.ToLower(host)
	return host == "outlook.office.com" || host == "outlook.office365.com" || strings.HasSuffix(host, ".webhook.office.com")
}

type sender struct {
	client *http.Client
	url    string
}

// Send implements notify.Sender. The notification's id names the run in the workflow's
// history (Azure Logic Apps, "x-ms-client-tracking-id").
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	body, err := marshal(compose(n))
	if err != nil {
		return "", err
	}
	header := http.Header{"X-Ms-Client-Tracking-Id": {n.ID}}
	_, err = notify.Post(ctx, s.client, s.url, "application/json", body, header)
	return "", notThis(err)
}

// notThis takes back that a message is rejected unless the answer is about the message:
// a workflow that is switched off or deleted says 400 too (WorkflowTriggerIsNotEnabled).
func notThis(err error) error {
	var f *notify.Failure
	if errors.As(err, &f) && f.Rejected && strings.HasPrefix(f.Said, "400 ") {
		f.Rejected = strings.Contains(f.Said, "InvalidRequestContent") || strings.Contains(f.Said, "RequestEntityTooLarge")
	}
	return err
}

// marshal leaves <, > and & as they are: six bytes for each would count.
func marshal(m message) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(m)
	return b.Bytes(), err
}
