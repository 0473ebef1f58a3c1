package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	vendor "github.com/slack-go/slack"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/slack"
)

const posted = `{"ok":true,"channel":"C024BE91L","ts":"1700000000.000100","message":{"text":"x"}}`

func hook(t *testing.T, far *notifytest.Far) notify.Sender {
	return notifytest.Open(t, slack.Kind(), notify.Settings{"webhook_url": far.URL + "/services/T1/B1/secret", "ca": far.CA})
}

func bot(t *testing.T, far *notifytest.Far) notify.Sender {
	return notifytest.Open(t, slack.Kind(), notify.Settings{"token": "xoxb-1-2-three", "channel": "#security", "api_url": far.URL + "/api", "ca": far.CA})
}

// decode reads a message with the types of the Go client for Slack, whose webhook
// message has all fields that are sent here, and checks what Slack documents of them.
func decode(t *testing.T, body []byte) vendor.WebhookMessage {
	t.Helper()
	var m vendor.WebhookMessage
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if m.Text == "" || m.Blocks == nil || len(m.Blocks.BlockSet) == 0 || len(m.Blocks.BlockSet) > 50 {
		t.Fatalf("text %q, blocks %v", m.Text, m.Blocks)
	}
	if m.UnfurlLinks == nil || *m.UnfurlLinks || m.UnfurlMedia == nil || *m.UnfurlMedia {
		t.Error("links are unfurled")
	}
	for _, b := range m.Blocks.BlockSet {
		check(t, b)
	}
	var raw struct{ Blocks json.RawMessage }
	if err := json.Unmarshal(body, &raw); err != nil || len(raw.Blocks) > 13000 {
		t.Errorf("blocks have %d characters, %v", len(raw.Blocks), err)
	}
	return m
}

func check(t *testing.T, b vendor.Block) {
	t.Helper()
	limited := func(o *vendor.TextBlockObject, limit int) {
		if err := o.Validate(); err != nil || len(o.Text) > limit {
			t.Errorf("%d of %d bytes, %v: %s", len(o.Text), limit, err, o.Text)
		}
		if o.Type == "mrkdwn" && !o.Verbatim {
			t.Errorf("not verbatim: %s", o.Text)
		}
	}
	switch b := b.(type) {
	case *vendor.HeaderBlock:
		limited(b.Text, 150)
		if b.Text.Type != "plain_text" {
			t.Errorf("a header of type %s", b.Text.Type)
		}
	case *vendor.SectionBlock:
		if b.Text != nil {
			limited(b.Text, 3000)
		}
		if len(b.Fields) > 10 || b.Text == nil && len(b.Fields) == 0 {
			t.Errorf("%d fields", len(b.Fields))
		}
		for _, f := range b.Fields {
			limited(f, 2000)
		}
	case *vendor.ContextBlock:
		for _, e := range b.ContextElements.Elements {
			limited(e.(*vendor.TextBlockObject), 3000)
		}
	default:
		t.Errorf("a block %s", b.BlockType())
	}
}

// texts are all that Slack interprets of a message.
func texts(m vendor.WebhookMessage) string {
	all := []string{m.Text}
	for _, b := range m.Blocks.BlockSet {
		switch b := b.(type) {
		case *vendor.SectionBlock:
			if b.Text != nil {
				all = append(all, b.Text.Text)
			}
			for _, f := range b.Fields {
				all = append(all, f.Text)
			}
		case *vendor.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				all = append(all, e.(*vendor.TextBlockObject).Text)
			}
		}
	}
	return strings.Join(all, "\n")
}

func header(m vendor.WebhookMessage) string {
	return m.Blocks.BlockSet[0].(*vendor.HeaderBlock).Text.Text
}

func TestWebhook(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(200, "ok"))
	sender := hook(t, far)
	for _, c := range []struct {
		n      notify.Notification
		header string
		says   []string
	}{
		{
			notifytest.Opened(), "🔴 CVE-2099-0001 (critical) in openssl on 2 nodes",
			[]string{"Heap overflow in openssl &lt;script&gt;\nExploited", "*Severity*\ncritical", "openssl on shop &lt;&amp;&gt; \"quoted\"", "<https://patrol.example/vulnerabilities/CVE-2099-0001|Open in Patrol>", "New critical or exploited · occurrence.opened · 2026-08-21T12:00:00Z"},
		},
		{notifytest.Changed(), "🔴 CVE-2099-0001 (critical) in openssl on 3 nodes", []string{"… and 1 more"}},
		{notifytest.Resolved("C1:1.2"), "✅ Resolved: CVE-2099-0001 in openssl", []string{"No node has it any more."}},
		{notifytest.Told(), "🟠 The feed is stale", []string{"*Since*\n2026-08-19"}},
	} {
		ref, err := sender.Send(context.Background(), c.n)
		if err != nil || ref != "" {
			t.Fatalf("%s: %q, %v", c.n.Action, ref, err)
		}
		got := far.Got()
		if len(got) != 1 || got[0].Method != "POST" || got[0].Path != "/services/T1/B1/secret" {
			t.Fatalf("%s: got %v", c.n.Action, got)
		}
		m := decode(t, got[0].Body)
		if header(m) != c.header || m.Channel != "" || m.ThreadTimestamp != "" {
			t.Errorf("%s: header %q, channel %q, thread %q", c.n.Action, header(m), m.Channel, m.ThreadTimestamp)
		}
		for _, says := range c.says {
			if !strings.Contains(texts(m), says) {
				t.Errorf("%s does not say %q:\n%s", c.n.Action, says, texts(m))
			}
		}
	}
}

func TestBot(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(200, posted))
	sender := bot(t, far)
	const parent, latest = "C024BE91L:1699999999.000100", "C024BE91L:1700000000.000100"
	refer := func(n notify.Notification) notify.Notification { n.Ref = parent; return n }
	for _, c := range []struct {
		n               notify.Notification
		channel, thread string
		broadcast       bool
		ref             string
	}{
		{notifytest.Opened(), "#security", "", false, latest},
		{refer(notifytest.Opened()), "#security", "", false, latest},
		{notifytest.Told(), "#security", "", false, latest},
		{refer(notifytest.Told()), "#security", "", false, latest},
		{notifytest.Changed(), "#security", "", false, latest},
		// What follows hangs on what opened the matter as well, not on this reply.
		{refer(notifytest.Changed()), "C024BE91L", "1699999999.000100", false, parent},
		{notifytest.Resolved(parent), "C024BE91L", "1699999999.000100", true, parent},
		{notifytest.Resolved(""), "#security", "", false, latest},
	} {
		ref, err := sender.Send(context.Background(), c.n)
		if err != nil || ref != c.ref {
			t.Fatalf("%s: %q, %v", c.n.Action, ref, err)
		}
		got := far.Got()
		if len(got) != 1 || got[0].Path != "/api/chat.postMessage" || got[0].Header.Get("Authorization") != "Bearer xoxb-1-2-three" ||
			got[0].Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Fatalf("%s: got %v", c.n.Action, got)
		}
		m := decode(t, got[0].Body)
		if m.Channel != c.channel || m.ThreadTimestamp != c.thread || m.ReplyBroadcast != c.broadcast {
			t.Errorf("%s: channel %q, thread %q, broadcast %v", c.n.Action, m.Channel, m.ThreadTimestamp, m.ReplyBroadcast)
		}
	}
}

// Where nothing can be replied to any more, it is said in the channel of the settings,
// and what follows hangs on that.
func TestThreadIsGone(t *testing.T) {
	for _, code := range []string{"thread_not_found", "message_not_found", "is_archived", "channel_not_found", "not_in_channel"} {
		asked := 0
		far := notifytest.NewFar(t, func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 1 {
				notifytest.Says(200, `{"ok":false,"error":"`+code+`"}`)(w, r)
				return
			}
			notifytest.Says(200, posted)(w, r)
		})
		ref, err := bot(t, far).Send(context.Background(), notifytest.Resolved("C0LD:1.2"))
		if err != nil || ref != "C024BE91L:1700000000.000100" {
			t.Fatalf("%s: %q, %v", code, ref, err)
		}
		got := far.Got()
		if len(got) != 2 {
			t.Fatalf("%s: %d requests", code, len(got))
		}
		if m := decode(t, got[1].Body); m.ThreadTimestamp != "" || m.ReplyBroadcast || m.Channel != "#security" {
			t.Errorf("%s: thread %q, broadcast %v, channel %q", code, m.ThreadTimestamp, m.ReplyBroadcast, m.Channel)
		}
	}
}

// What is wrong with neither thread nor channel is no reason to say it elsewhere.
func TestReplyRefused(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(200, `{"ok":false,"error":"invalid_auth"}`))
	ref, err := bot(t, far).Send(context.Background(), notifytest.Resolved("C0LD:1.2"))
	if f := notifytest.Failure(t, err); ref != "" || f.Said != "200: invalid_auth" || len(far.Got()) != 1 {
		t.Errorf("%q, %+v", ref, *f)
	}
}

func TestHostileTexts(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(200, "ok"))
	if _, err := hook(t, far).Send(context.Background(), notifytest.Hostile()); err != nil {
		t.Fatal(err)
	}
	m := decode(t, far.Got()[0].Body)
	all := strings.ReplaceAll(texts(m), "<https://patrol.example/vulnerabilities/CVE-2099-0001|Open in Patrol>", "")
	if strings.ContainsAny(all, "<>\x00\x1b\u202e\r") || !strings.Contains(all, "&lt;!channel&gt;") {
		t.Errorf("markup or control characters in\n%q", all)
	}
	n := notifytest.Opened()
	n.URL = "https://patrol.example/?a=1&b=<!channel>|x"
	if _, err := hook(t, far).Send(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	if all := texts(decode(t, far.Got()[0].Body)); !strings.Contains(all, "<https://patrol.example/?a=1&amp;b=%3C!channel%3E%7Cx|Open in Patrol>") {
		t.Error(all)
	}
}

func TestLimits(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(200, "ok"))
	n := notifytest.Huge()
	n.URL = "https://patrol.example/" + strings.Repeat("a", 5000)
	if _, err := hook(t, far).Send(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	if all := texts(decode(t, far.Got()[0].Body)); !strings.Contains(all, " more") || strings.Contains(all, "Open in Patrol") {
		t.Error(all)
	}
}

func TestRefusals(t *testing.T) {
	far := notifytest.NewFar(t, nil)
	for _, c := range []struct {
		bot      bool
		answer   http.HandlerFunc
		said     string
		rejected bool
		after    time.Duration
	}{
		{false, notifytest.Says(403, "action_prohibited"), "403 Forbidden: action_prohibited", false, 0},
		{false, notifytest.Says(404, "no_service"), "404 Not Found: no_service", false, 0},
		{false, notifytest.Says(400, "no_team"), "400 Bad Request: no_team", false, 0},
		{false, notifytest.Says(410, "channel_is_archived"), "410 Gone: channel_is_archived", false, 0},
		{false, notifytest.Says(400, "invalid_blocks"), "400 Bad Request: invalid_blocks", true, 0},
		{false, notifytest.Says(413, ""), "413 Request Entity Too Large", true, 0},
		{false, notifytest.Says(429, "rate_limited", "Retry-After", "30"), "429 Too Many Requests: rate_limited", false, 30 * time.Second},
		{false, notifytest.Says(500, "rollup_error"), "500 Internal Server Error: rollup_error", false, 0},
		{false, notifytest.Says(200, "<html>sign in"), "200: <html>sign in", false, 0},
		{true, notifytest.Says(200, `{"ok":false,"error":"invalid_auth"}`), "200: invalid_auth", false, 0},
		{true, notifytest.Says(200, `{"ok":false,"error":"not_in_channel"}`), "200: not_in_channel", false, 0},
		{true, notifytest.Says(200, `{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"incoming-webhook"}`), "200: missing_scope (needed: chat:write)", false, 0},
		{true, notifytest.Says(200, `{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] no more than 50 items"]}}`), "200: invalid_blocks: [ERROR] no more than 50 items", true, 0},
		{true, notifytest.Says(200, `{"ok":false,"error":"ratelimited"}`), "200: ratelimited", false, time.Minute},
		{true, notifytest.Says(429, `{"ok":false,"error":"ratelimited"}`, "Retry-After", "7"), `429 Too Many Requests: {"ok":false,"error":"ratelimited"}`, false, 7 * time.Second},
		{true, notifytest.Says(200, "<html>"), "200 and something that is no JSON; is the API's address right?", false, 0},
		{true, notifytest.Says(503, ""), "503 Service Unavailable", false, 0},
	} {
		far.Answer(c.answer)
		sender := hook(t, far)
		if c.bot {
			sender = bot(t, far)
		}
		ref, err := sender.Send(context.Background(), notifytest.Opened())
		f := notifytest.Failure(t, err)
		if ref != "" || f.Said != c.said || f.Rejected != c.rejected || f.After != c.after {
			t.Errorf("%q, %+v; want %q, rejected %v, after %s", ref, *f, c.said, c.rejected, c.after)
		}
	}
}

func TestNoTrust(t *testing.T) {
	notifytest.Distrusts(t, func(url string) notify.Sender {
		return notifytest.Open(t, slack.Kind(), notify.Settings{"webhook_url": url + "/services/x"})
	})
}

func TestCancelled(t *testing.T) {
	notifytest.Hangs(t, func(url, ca string) notify.Sender {
		return notifytest.Open(t, slack.Kind(), notify.Settings{"webhook_url": url + "/services/x", "ca": ca})
	})
}

func TestSettings(t *testing.T) {
	const good = "https://hooks.slack.com/services/T1/B1/x"
	for _, c := range []struct {
		field    string
		settings notify.Settings
	}{
		{"webhook_url", notify.Settings{}},
		{"webhook_url", notify.Settings{"webhook_url": "http://hooks.slack.com/services/T1/B1/x"}},
		{"webhook_url", notify.Settings{"webhook_url": "hooks.slack.com"}},
		{"webhook_url", notify.Settings{"webhook_url": "HTTPS://hooks.slack.com/services/T1/B1/x"}},
		{"webhook_url", notify.Settings{"webhook_url": "https://hooks.slack.com/"}},
		{"webhook_url", notify.Settings{"webhook_url": "https://me:pw@hooks.slack.com/services/T1"}},
		{"token", notify.Settings{"webhook_url": good, "token": "xoxb-1"}},
		{"channel", notify.Settings{"webhook_url": good, "channel": "#a"}},
		{"channel", notify.Settings{"token": "xoxb-1"}},
		{"token", notify.Settings{"token": "xoxp-1", "channel": "C1"}},
		{"token", notify.Settings{"token": "xoxb-1\r\nx", "channel": "C1"}},
		{"api_url", notify.Settings{"token": "xoxb-1", "channel": "C1", "api_url": "http://slack.com/api"}},
		{"ca", notify.Settings{"webhook_url": good, "ca": "none"}},
		{"url", notify.Settings{"webhook_url": good, "url": "x"}},
	} {
		notifytest.Refuses(t, slack.Kind(), c.settings, c.field)
	}
	notifytest.Open(t, slack.Kind(), notify.Settings{"webhook_url": good})
	notifytest.Open(t, slack.Kind(), notify.Settings{"token": "xoxb-1", "channel": "C1"})
}

func TestSample(t *testing.T) {
	far := notifytest.NewFar(t, notifytest.Says(200, "ok"))
	if _, err := hook(t, far).Send(context.Background(), notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "slack", notifytest.Pretty(t, far.Got()[0].Body))
}
