package shoutrrr_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/gotify"
)

// said is a message as a service shows it.
type said struct{ title, text string }

// known is a service under test: its URL, where its request goes, how it says yes, and
// what it was told. The services publish no Go types; bodies are decoded with those of
// the library where it has them, and else as the service's document has it.
type known struct {
	url, method, path string
	header            [2]string
	yes               string
	most              int // bytes of the text, by the service's document
	read              func(t *testing.T, body []byte) said
}

func strictly(t *testing.T, body []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}

func form(t *testing.T, body []byte) url.Values {
	t.Helper()
	v, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// first is for services whose title is the first line.
func first(text string) said {
	title, rest, _ := strings.Cut(text, "\n")
	return said{title, rest}
}

func services() map[string]known {
	return map[string]known{
		"discord": {
			"discord://secrettoken@123456789012345678", "POST", "/api/webhooks/123456789012345678/secrettoken",
			[2]string{},
			"", 4096,
			func(t *testing.T, body []byte) said {
				var p discord.WebhookPayload
				strictly(t, body, &p)
				if p.Content != "" || len(p.Embeds) != 1 {
					t.Fatalf("content %q, %d embeds", p.Content, len(p.Embeds))
				}
				return said{p.Embeds[0].Title, p.Embeds[0].Content}
			},
		},
		"gotify": {
			"gotify://service.example/AsecretToken012", "POST", "/message?token=AsecretToken012",
			[2]string{},
			`{"id":1}`, 1 << 20,
			func(t *testing.T, body []byte) said {
				var p gotify.MessageRequest
				strictly(t, body, &p)
				if p.Priority < 2 || p.Priority > 8 {
					t.Errorf("priority %d", p.Priority)
				}
				return said{p.Title, p.Message}
			},
		},
		"mattermost": {
			"mattermost://patrol@service.example/secrettoken/town", "POST", "/hooks/secrettoken",
			[2]string{},
			"ok", 16383,
			func(t *testing.T, body []byte) said {
				var p mattermost.JSON
				strictly(t, body, &p)
				if p.UserName != "patrol" || p.Channel != "town" {
					t.Errorf("as %q in %q", p.UserName, p.Channel)
				}
				return first(p.Text)
			},
		},
		"ntfy": {
			"ntfy://user:secretword@service.example/topic?tags=lock", "POST", "/topic", [2]string{"Tags", "lock"}, `{"id":"x"}`, 4096, nil,
		},
		"pushover": {
			"pushover://shoutrrr:secrettoken@secretuserkey", "POST", "/1/messages.json",
			[2]string{"Content-Type", "application/x-www-form-urlencoded"},
			`{"status":1}`, 1024,
			func(t *testing.T, body []byte) said {
				v := form(t, body)
				if v.Get("token") != "secrettoken" || v.Get("user") != "secretuserkey" || v.Get("html") != "" || len(v.Get("title")) > 250 {
					t.Errorf("sent %v", v)
				}
				return said{v.Get("title"), v.Get("message")}
			},
		},
		"rocketchat": {
			"rocketchat://service.example/secrettokenA/secrettokenB", "POST", "/hooks/secrettokenA/secrettokenB",
			[2]string{},
			`{"success":true}`, 5000,
			func(t *testing.T, body []byte) said {
				var p rocketchat.JSON
				strictly(t, body, &p)
				return first(p.Text)
			},
		},
		"telegram": {
			"telegram://123456789:secret-token@telegram?chats=-100123:7&notification=no", "POST", "/bot123456789:secret-token/sendMessage",
			[2]string{},
			`{"ok":true,"result":{}}`, 4096,
			func(t *testing.T, body []byte) said {
				var p telegram.SendMessagePayload
				strictly(t, body, &p)
				if p.ID != "-100123" || *p.MessageThreadID != 7 || p.ParseMode != "" || !p.DisableNotification || !p.DisablePreview {
					t.Errorf("sent %+v", p)
				}
				return first(p.Text)
			},
		},
		"googlechat": {
			"googlechat://chat.googleapis.com/v1/spaces/AAAA/messages?key=secretkey&token=secrettoken", "POST",
			"/v1/spaces/AAAA/messages?key=secretkey&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&requestId={id}&token=secrettoken",
			[2]string{"Content-Type", "application/json; charset=UTF-8"},
			`{"name":"spaces/AAAA/messages/1"}`, 4096,
			func(t *testing.T, body []byte) said {
				var p struct {
					Text   string
					Thread struct {
						Key string `json:"threadKey"`
					}
				}
				strictly(t, body, &p)
				if p.Thread.Key == "" {
					t.Error("no thread")
				}
				return first(p.Text)
			},
		},
		"zulip": {
			"zulip://bot%40service.example:secretkey@service.example/?stream=alerts", "POST", "/api/v1/messages",
			[2]string{"Authorization", "Basic Ym90QHNlcnZpY2UuZXhhbXBsZTpzZWNyZXRrZXk="},
			`{"result":"success","msg":"","id":1}`, 10000,
			func(t *testing.T, body []byte) said {
				v := form(t, body)
				if v.Get("type") != "stream" || v.Get("to") != "alerts" || v.Get("topic") != "Patrol" {
					t.Errorf("sent %v", v)
				}
				return first(v.Get("content"))
			},
		},
		"matrix": {
			"matrix://:secrettoken@service.example/?rooms=!room:service.example", "PUT",
			"/_matrix/client/v3/rooms/%21room:service.example/send/m.room.message/{id}",
			[2]string{"Authorization", "Bearer secrettoken"},
			`{"event_id":"$1"}`, 60000,
			func(t *testing.T, body []byte) said {
				var p struct {
					Type     string   `json:"msgtype"`
					Body     string   `json:"body"`
					Mentions struct{} `json:"m.mentions"`
				}
				strictly(t, body, &p)
				if p.Type != "m.text" {
					t.Errorf("type %s", p.Type)
				}
				return first(p.Body)
			},
		},
		"opsgenie": {
			"opsgenie://api.opsgenie.com/secretkey?tags=patrol", "POST", "/v2/alerts",
			[2]string{"Authorization", "GenieKey secretkey"},
			`{"result":"Request will be processed"}`, 15000,
			func(t *testing.T, body []byte) said {
				var p opsgenie.AlertPayload
				strictly(t, body, &p)
				if p.Alias == "" || len(p.Message) > 130 || len(p.Tags) != 1 || len(p.Priority) != 2 {
					t.Errorf("sent %+v", p)
				}
				return said{p.Message, p.Description}
			},
		},
	}
}
