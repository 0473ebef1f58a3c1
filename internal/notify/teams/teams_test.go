package teams_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/teams"
)

// Microsoft publishes no Go types. These are its documents': the message of "Create
// incoming webhooks with Workflows for Microsoft Teams", and of the schema explorer of
// Adaptive Cards 1.4 AdaptiveCard, Container, RichTextBlock, TextRun and Action.OpenUrl.
type message struct {
	Type        string `json:"type"`
	Attachments []struct {
		ContentType string  `json:"contentType"`
		ContentURL  *string `json:"contentUrl"`
		Content     struct {
			Schema  string `json:"$schema"`
			Type    string `json:"type"`
			Version string `json:"version"`
			Teams   struct {
				Width string `json:"width"`
			} `json:"msteams"`
			Body    []element `json:"body"`
			Actions []struct {
				Type  string `json:"type"`
				Title string `json:"title"`
				URL   string `json:"url"`
			} `json:"actions"`
		} `json:"content"`
	} `json:"attachments"`
}

type element struct {
	Type      string    `json:"type"`
	Style     string    `json:"style"`
	Bleed     bool      `json:"bleed"`
	Items     []element `json:"items"`
	Separator bool      `json:"separator"`
	Spacing   string    `json:"spacing"`
	Inlines   []struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Size   string `json:"size"`
		Weight string `json:"weight"`
		Subtle bool   `json:"isSubtle"`
	} `json:"inlines"`
}

// seen is a card as people see it.
type seen struct {
	style, title, text, url string
}

func decode(t *testing.T, body []byte) seen {
	t.Helper()
	if len(body) > 28<<10 {
		t.Errorf("%d bytes are more than 28 KB", len(body))
	}
	var m message
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if m.Type != "message" || len(m.Attachments) != 1 || m.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
		t.Fatalf("message %s", body)
	}
	c := m.Attachments[0].Content
	if c.Type != "AdaptiveCard" || c.Version != "1.4" || c.Schema != "http://adaptivecards.io/schemas/adaptive-card.json" {
		t.Errorf("card %s %s of %s", c.Type, c.Version, c.Schema)
	}
	head := c.Body[0]
	if head.Type != "Container" || len(head.Items) != 1 {
		t.Fatalf("a card that begins with %+v", head)
	}
	s := seen{style: head.Style, title: line(t, head.Items[0])}
	for _, e := range c.Body[1:] {
		s.text += line(t, e) + "\n"
	}
	for _, a := range c.Actions {
		if a.Type != "Action.OpenUrl" || a.Title != "Open in Patrol" {
			t.Errorf("action %+v", a)
		}
		s.url = a.URL
	}
	return s
}

// line wants a paragraph of nothing but TextRuns, which know no markup.
func line(t *testing.T, e element) string {
	t.Helper()
	if e.Type != "RichTextBlock" || len(e.Inlines) == 0 {
		t.Fatalf("a paragraph %+v", e)
	}
	var text string
	for _, i := range e.Inlines {
		if i.Type != "TextRun" || i.Text == "" {
			t.Errorf("inline %+v", i)
		}
		text += i.Text
	}
	return text
}

func open(t *testing.T, far *notifytest.Far) notify.Sender {
	return notifytest.Open(t, teams.Kind(), notify.Settings{"webhook_url": far.URL + "/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=abc", "ca": far.CA})
}

func TestSend(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(202, ""))
	sender := open(t, far)
	for _, c := range []struct {
		n            notify.Notification
		style, title string
		says         []string
		url          string
	}{
		{
			notifytest.Opened(), "attention", "🔴 CVE-2099-0001 (critical) in openssl on 2 nodes",
			[]string{
				"Heap overflow in openssl <script>\nExploited, by CISA's catalogue.", "Severity: critical\nPackage: openssl\nNodes: 2\n",
				"• CVE-2099-0001 critical 9.8: openssl on shop <&> \"quoted\", exploited, fixed in 3.0.15-1~deb12u1\n",
				"New critical or exploited · occurrence.opened · 2026-08-21T12:00:00Z\n",
			},
			"https://patrol.example/vulnerabilities/CVE-2099-0001",
		},
		{notifytest.Changed(), "attention", "🔴 CVE-2099-0001 (critical) in openssl on 3 nodes", []string{"… and 1 more\n"}, notifytest.Changed().URL},
		{notifytest.Resolved(""), "good", "✅ Resolved: CVE-2099-0001 in openssl", []string{"No node has it any more.\n"}, notifytest.Opened().URL},
		{notifytest.Told(), "attention", "🟠 The feed is stale", []string{"It was last updated two days ago.\nSince: 2026-08-19\n"}, ""},
	} {
		if ref, err := sender.Send(context.Background(), c.n); err != nil || ref != "" {
			t.Fatalf("%s: %q, %v", c.n.Action, ref, err)
		}
		got := far.Got()
		if len(got) != 1 || got[0].Method != "POST" || !strings.HasSuffix(got[0].Path, "?api-version=1&sig=abc") ||
			got[0].Header.Get("x-ms-client-tracking-id") != c.n.ID || got[0].Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: got %v", c.n.Action, got)
		}
		s := decode(t, got[0].Body)
		if s.style != c.style || s.title != c.title || s.url != c.url {
			t.Errorf("%s: %+v", c.n.Action, s)
		}
		for _, says := range c.says {
			if !strings.Contains(s.text, says) {
				t.Errorf("%s does not say %q:\n%s", c.n.Action, says, s.text)
			}
		}
	}
}

func TestStyles(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(202, ""))
	for severity, style := range map[string]string{"malicious": "attention", "medium": "warning", "low": "emphasis", "info": "emphasis", "": "emphasis"} {
		n := notifytest.Told()
		n.Severity = severity
		if _, err := open(t, far).Send(context.Background(), n); err != nil {
			t.Fatal(err)
		}
		if s := decode(t, far.Got()[0].Body); s.style != style {
			t.Errorf("%s has the style %s", severity, s.style)
		}
	}
}

func TestHostileTexts(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(202, ""))
	if _, err := open(t, far).Send(context.Background(), notifytest.Hostile()); err != nil {
		t.Fatal(err)
	}
	s := decode(t, far.Got()[0].Body)
	if all := s.title + s.text; strings.ContainsAny(all, "\x00\x1b\u202e\r") || !strings.Contains(all, "[link](https://evil.example) *a*") {
		t.Errorf("%q", all)
	}
}

func TestLimits(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(202, ""))
	n := notifytest.Huge()
	n.URL = "https://patrol.example/" + strings.Repeat("a", 1900)
	for range 2 {
		if _, err := open(t, far).Send(context.Background(), n); err != nil {
			t.Fatal(err)
		}
		if s := decode(t, far.Got()[0].Body); !strings.Contains(s.text, " more\n") || s.url != "" && s.url != n.URL {
			t.Errorf("%+v", s)
		}
		n.Text, n.URL = strings.Repeat(`"\`+"\n", 5000), n.URL+strings.Repeat("a", 1000)
	}
}

func TestRefusals(t *testing.T) {
	far := notifytest.NewFar(t, nil)
	for _, c := range []struct {
		answer   http.HandlerFunc
		said     string
		rejected bool
		after    time.Duration
	}{
		{notifytest.Says(400, `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"state 'Disabled'"}}`), `400 Bad Request: {"error":{"code":"WorkflowTriggerIsNotEnabled","message":"state 'Disabled'"}}`, false, 0},
		{notifytest.Says(400, `{"error":{"code":"InvalidRequestContent"}}`), `400 Bad Request: {"error":{"code":"InvalidRequestContent"}}`, true, 0},
		{notifytest.Says(401, `{"error":{"code":"DirectApiAuthorizationRequired"}}`), `401 Unauthorized: {"error":{"code":"DirectApiAuthorizationRequired"}}`, false, 0},
		{notifytest.Says(403, ""), "403 Forbidden", false, 0},
		{notifytest.Says(404, ""), "404 Not Found", false, 0},
		{notifytest.Says(413, ""), "413 Request Entity Too Large", true, 0},
		{notifytest.Says(429, "", "Retry-After", "20"), "429 Too Many Requests", false, 20 * time.Second},
		{notifytest.Says(500, ""), "500 Internal Server Error", false, 0},
		{notifytest.Says(502, "no"), "502 Bad Gateway: no", false, 0},
	} {
		far.Answer(c.answer)
		_, err := open(t, far).Send(context.Background(), notifytest.Opened())
		f := notifytest.Failure(t, err)
		if f.Said != c.said || f.Rejected != c.rejected || f.After != c.after {
			t.Errorf("%+v; want %q, rejected %v, after %s", *f, c.said, c.rejected, c.after)
		}
	}
	far.Answer(notifytest.Says(302, "", "Location", "https://login.microsoftonline.com/"))
	if _, err := open(t, far).Send(context.Background(), notifytest.Opened()); err == nil || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("a redirect: %v", err)
	}
}

func TestNoTrust(t *testing.T) {
	notifytest.Distrusts(t, func(url string) notify.Sender {
		return notifytest.Open(t, teams.Kind(), notify.Settings{"webhook_url": url + "/workflows/x"})
	})
}

func TestCancelled(t *testing.T) {
	notifytest.Hangs(t, func(url, ca string) notify.Sender {
		return notifytest.Open(t, teams.Kind(), notify.Settings{"webhook_url": url + "/workflows/x", "ca": ca})
	})
}

func TestSettings(t *testing.T) {
	for _, url := range []string{
		"", "contoso", "http://a.logic.azure.com/workflows/1", "HTTPS://a.logic.azure.com/workflows/1", "https://a.logic.azure.com/", "https://u:p@a.logic.azure.com/workflows/1",
		"https://contoso.webhook.office.com/webhookb2/1/IncomingWebhook/2/3", "https://outlook.office.com/webhook/1",
		"https://a.logic.azure.com/workflows/1/triggers/manual/paths/invoke?api-version=2016-06-01",
	} {
		notifytest.Refuses(t, teams.Kind(), notify.Settings{"webhook_url": url}, "webhook_url")
	}
	notifytest.Refuses(t, teams.Kind(), notify.Settings{"webhook_url": "https://a.logic.azure.com/workflows/1", "ca": "x"}, "ca")
	notifytest.Open(t, teams.Kind(), notify.Settings{"webhook_url": "https://prod-1.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=x"})
}

func TestSample(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(202, ""))
	if _, err := open(t, far).Send(context.Background(), notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "teams", notifytest.Pretty(t, far.Got()[0].Body))
}
