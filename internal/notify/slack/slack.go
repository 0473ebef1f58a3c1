// Package slack writes notifications to a Slack channel, as messages of Block Kit
// blocks. It posts either to an incoming webhook (Slack's "Sending messages using
// incoming webhooks"), which is one channel and knows no threads, or as a bot (Web API,
// method chat.postMessage), which writes what follows into the thread of what it
// opened. Neither takes an idempotency key: where an answer is lost, a message comes
// twice.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Kind returns the kind of integration.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "slack", Title: "Slack",
		Fields: []notify.Field{
			{
				Name: "webhook_url", Label: "Webhook URL", Secret: true,
				Help:    "Of the app: Features, Incoming Webhooks. Either this, or a bot token and a channel.",
				Example: "https://hooks.slack.com/services/T0000/B0000/XXXXXXXX",
			},
			{
				Name: "token", Label: "Bot token", Secret: true,
				Help:    "Of the app: Features, OAuth & Permissions, Bot User OAuth Token; its scope is chat:write.",
				Example: "xoxb-…",
			},
			{
				Name: "channel", Label: "Channel",
				Help:    "For a bot: the channel's id, at the end of its details (or its name). The bot has to be invited to it.",
				Example: "C0123456789",
			},
			{
				Name: "api_url", Label: "API", Default: "https://slack.com/api",
				Help:    "For a bot: where Slack's Web API is; GovSlack has its own.",
				Example: "https://slack-gov.com/api",
			},
			notify.CA,
		},
		Open: open,
	}
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	client, err := notify.HTTPClient(guard, s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	switch {
	case s.Get("webhook_url") != "" && s.Get("token") != "":
		return nil, notify.Invalid("token", "goes with no webhook URL; give one of the two")
	case s.Get("webhook_url") != "":
		return openWebhook(s, client)
	case s.Get("token") != "":
		return openBot(s, client)
	}
	return nil, notify.Invalid("webhook_url", "is needed, or a bot token")
}

func openWebhook(s notify.Settings, client *http.Client) (notify.Sender, error) {
	u, err := https(s, "webhook_url")
	switch {
	case err != nil:
		return nil, err
	case strings.Trim(u.Path, "/") == "":
		return nil, notify.Invalid("webhook_url", "is no webhook's: nothing stands after the host")
	case s.Get("channel") != "":
		return nil, notify.Invalid("channel", "is for a bot; a webhook belongs to one channel")
	}
	return &webhook{client, u.String()}, nil
}

func openBot(s notify.Settings, client *http.Client) (notify.Sender, error) {
	u, err := https(s, "api_url")
	if err != nil {
		return nil, err
	}
	token, channel := s.Get("token"), s.Get("channel")
	switch {
	case !strings.HasPrefix(token, "xoxb-"):
		return nil, notify.Invalid("token", "is no bot's, which begins with xoxb-")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, notify.Invalid("token", "holds characters that no token has")
	case channel == "":
		return nil, notify.Invalid("channel", "is needed for a bot")
	}
	return &bot{client, strings.TrimRight(u.String(), "/") + "/chat.postMessage", token, channel}, nil
}

func https(s notify.Settings, field string) (*url.URL, error) {
	u, err := s.URL(field)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https":
		return nil, notify.Invalid(field, "does not begin with https://")
	case u.String() != s.Get(field): // what is noted of requests would not be masked
		return nil, notify.Invalid(field, "is not written as Slack does; copy it from there")
	}
	return u, nil
}

// webhook answers "ok", or a status and a word for what is wrong.
type webhook struct {
	client *http.Client
	url    string
}

// Send implements notify.Sender.
func (w *webhook) Send(ctx context.Context, n notify.Notification) (string, error) {
	body, err := marshal(compose(n))
	if err != nil {
		return "", err
	}
	answer, err := notify.Post(ctx, w.client, w.url, "application/json; charset=utf-8", body, nil)
	if err != nil {
		return "", notThis(err)
	}
	if said := strings.TrimSpace(string(answer)); said != "ok" {
		return "", &notify.Failure{Said: "200: " + said[:min(len(said), 300)]}
	}
	return "", nil
}

// notThis takes back that a message is rejected where the answer is about the webhook.
func notThis(err error) error {
	var f *notify.Failure
	if !errors.As(err, &f) || !f.Rejected {
		return err
	}
	for _, word := range []string{"no_service", "no_team", "no_active_hooks", "team_disabled", "invalid_token", "user_not_found", "channel"} {
		if strings.Contains(f.Said, word) {
			f.Rejected = false
		}
	}
	return f
}

type bot struct {
	client              *http.Client
	url, token, channel string
}

// Send implements notify.Sender. What it returns is the channel's id and the time that
// identifies a message in it, "C0123456789:1700000000.000100": of this message, or of
// that to which it replies, for a thread hangs on the message that began it.
func (b *bot) Send(ctx context.Context, n notify.Notification) (string, error) {
	m := compose(n)
	if channel, ts, ok := strings.Cut(n.Ref, ":"); ok && (n.Action == notify.Changed || n.Action == notify.Resolved) {
		m.Channel, m.Thread, m.Broadcast = channel, ts, n.Action == notify.Resolved
		_, err := b.post(ctx, m)
		switch {
		case err == nil:
			return n.Ref, nil
		case !noThread(err):
			return "", err
		}
	}
	m.Channel, m.Thread, m.Broadcast = b.channel, "", false
	return b.post(ctx, m)
}

func (b *bot) post(ctx context.Context, m message) (string, error) {
	body, err := marshal(m)
	if err != nil {
		return "", err
	}
	header := http.Header{"Authorization": {"Bearer " + b.token}}
	answer, err := notify.Post(ctx, b.client, b.url, "application/json; charset=utf-8", body, header)
	if err != nil {
		return "", err
	}
	return posted(answer)
}

// noThread tells that what opened a matter is gone, is nothing to reply to, or stands in
// a channel in which the bot cannot write any more.
func noThread(err error) bool {
	var f *notify.Failure
	if !errors.As(err, &f) {
		return false
	}
	for _, code := range []string{
		"thread_not_found", "message_not_found", "cannot_reply_to_message", "invalid_thread_ts",
		"is_archived", "channel_not_found", "not_in_channel",
	} {
		if strings.HasPrefix(f.Said, "200: "+code) {
			return true
		}
	}
	return false
}

// posted reads the answer of a method: a mistake has the status 200 as well (Slack,
// "Using the Slack Web API", section "Evaluating responses").
func posted(answer []byte) (string, error) {
	var said struct {
		OK       bool   `json:"ok"`
		Error    string `json:"error"`
		Needed   string `json:"needed"`
		Channel  string `json:"channel"`
		TS       string `json:"ts"`
		Metadata struct {
			Messages []string `json:"messages"`
		} `json:"response_metadata"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return "", &notify.Failure{Said: "200 and something that is no JSON; is the API's address right?"}
	}
	if said.OK {
		return said.Channel + ":" + said.TS, nil
	}
	f := &notify.Failure{Said: "200: " + said.Error, Rejected: tooMuch(said.Error)}
	if said.Needed != "" {
		f.Said += " (needed: " + said.Needed + ")"
	}
	if len(said.Metadata.Messages) > 0 {
		f.Said += ": " + strings.Join(said.Metadata.Messages, "; ")
	}
	if said.Error == "ratelimited" || said.Error == "rate_limited" {
		f.After = time.Minute // the window of Slack's limits
	}
	return "", f
}

// tooMuch tells the errors that mean this message, not its channel or its sender.
func tooMuch(code string) bool {
	switch code {
	case "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "no_text":
		return true
	}
	return false
}
