package shoutrrr

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/format"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/googlechat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/zulip"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// The services below the library sends to by clients of its own. It reads their URLs,
// and what it would have sent is sent here.

// only returns the one value of an option: an integration is one chat, so that it is
// tried again by itself.
func only(values []string, of string) (string, error) {
	switch {
	case len(values) != 1:
		return "", wrong("it names " + fmt.Sprint(len(values)) + " " + of + "; an integration has one")
	case strings.Trim(values[0], "#! ") == "":
		return "", wrong("the name of one of the " + of + " is empty")
	}
	return values[0], nil
}

func asJSON(header ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return h
}

// openTelegram: plain text, which has no parse mode (Telegram, "Bot API", section
// "sendMessage").
func openTelegram(u *url.URL) (post, error) {
	c := telegram.Config{Preview: true, Notification: true}
	if err := c.SetURL(copied(u)); err != nil {
		return nil, err
	}
	to, err := only(c.Chats, "chats")
	if err != nil {
		return nil, err
	}
	p := telegram.SendMessagePayload{DisablePreview: true, DisableNotification: !c.Notification}
	id, thread, threaded := strings.Cut(to, ":")
	p.ID = id
	if threaded {
		p.MessageThreadID = new(int)
		if _, err := fmt.Sscanf(thread, "%d", p.MessageThreadID); err != nil {
			return nil, wrong("what follows the chat's id is no thread's")
		}
	}
	address := "https://api.telegram.org/bot" + c.Token + "/sendMessage"
	return func(x *relay, _ notify.Notification, m message) error {
		send := p
		send.Text = m.both()
		body, err := json.Marshal(send)
		if err != nil {
			return err
		}
		var answer struct {
			OK          bool   `json:"ok"`
			Description string `json:"description"`
		}
		if err := x.call(http.MethodPost, address, asJSON(), body, &answer); err != nil || answer.OK {
			return err
		}
		return &notify.Failure{Said: "200: " + answer.Description}
	}, nil
}

// openGoogleChat: all that is said of one key stands in one thread, and what is sent
// again is the message that is there (Google Chat API, "spaces.messages.create",
// messageReplyOption and requestId).
func openGoogleChat(u *url.URL) (post, error) {
	var c googlechat.Config
	if err := c.SetURL(copied(u)); err != nil {
		return nil, err
	}
	if c.Host == "" || c.Key == "" || c.Token == "" || strings.Trim(c.Path, "/") == "" {
		return nil, wrong("a part is missing")
	}
	q := url.Values{"key": {c.Key}, "token": {c.Token}, "messageReplyOption": {"REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}}
	return func(x *relay, n notify.Notification, m message) error {
		this := maps.Clone(q)
		this.Set("requestId", n.ID)
		address := (&url.URL{Scheme: "https", Host: c.Host, Path: c.Path, RawQuery: this.Encode()}).String()
		type thread struct {
			Key string `json:"threadKey"`
		}
		body, err := json.Marshal(struct {
			googlechat.JSON
			Thread thread `json:"thread"`
		}{googlechat.JSON{Text: m.both()}, thread{n.Key}})
		if err != nil {
			return err
		}
		var answer struct{}
		return x.call(http.MethodPost, address, asJSON("Content-Type", "application/json; charset=UTF-8"), body, &answer)
	}, nil
}

// openMatrix writes to one room as who has the token. The transaction's id is the
// notification's, so that repeating it makes no second message (Matrix, "Client-Server
// API", section "Sending events to a room").
func openMatrix(u *url.URL) (post, error) {
	token, _ := u.User.Password()
	q := u.Query()
	room, err := only(strings.Split(cmp.Or(q.Get("rooms"), q.Get("room")), ","), "rooms")
	switch {
	case err != nil:
		return nil, err
	case u.User.Username() != "":
		return nil, wrong("it names a user; make an access token and leave the name out")
	case token == "" || u.Host == "":
		return nil, wrong("a part is missing")
	}
	if !strings.HasPrefix(room, "!") && !strings.HasPrefix(room, "#") {
		room = "#" + room
	}
	server := url.URL{Scheme: "https", Host: u.Host}
	for option, values := range q {
		if off, known := format.ParseBool(values[0], false); strings.EqualFold(option, "disabletls") && known && off {
			server.Scheme = "http"
		}
	}
	api := server.JoinPath("_matrix", "client", "v3")
	header := asJSON("Authorization", "Bearer "+token)
	return func(x *relay, n notify.Notification, m message) error {
		id := room
		if room[0] == '#' { // an alias: joining, once more if need be, tells the id
			var joined struct {
				ID string `json:"room_id"`
			}
			if err := x.call(http.MethodPost, api.String()+"/join/"+url.PathEscape(room), header, []byte("{}"), &joined); err != nil {
				return err
			}
			id = joined.ID
		}
		body, err := json.Marshal(map[string]any{"msgtype": "m.text", "body": m.both(), "m.mentions": struct{}{}})
		if err != nil {
			return err
		}
		var answer struct{}
		return x.call(http.MethodPut, api.String()+"/rooms/"+url.PathEscape(id)+"/send/m.room.message/"+url.PathEscape(n.ID), header, body, &answer)
	}, nil
}

// openZulip writes to a topic of a channel (Zulip, "REST API", "Send a message").
func openZulip(u *url.URL) (post, error) {
	c, err := zulip.CreateConfigFromURL(copied(u))
	if err != nil {
		return nil, err
	}
	if c.Stream == "" || c.BotKey == "" {
		return nil, wrong("a part is missing")
	}
	if c.Topic = chat.Fit(c.Topic, 60, chat.Plain); c.Topic == "" {
		c.Topic = "Patrol"
	}
	address := (&url.URL{Scheme: "https", Host: u.Host, Path: "/api/v1/messages"}).String()
	header := http.Header{
		"Content-Type":  {"application/x-www-form-urlencoded"},
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.BotMail+":"+c.BotKey))},
	}
	return func(x *relay, _ notify.Notification, m message) error {
		var answer struct {
			Result  string `json:"result"`
			Message string `json:"msg"`
		}
		body := zulip.CreatePayload(c, m.both()).Encode()
		if err := x.call(http.MethodPost, address, header, []byte(body), &answer); err != nil || answer.Result == "success" {
			return err
		}
		return &notify.Failure{Said: "200: " + answer.Message}
	}, nil
}

// openOpsgenie: the alias makes one alert of a key, which its end closes (Opsgenie,
// "Alert API", sections "Create Alert" and "Close Alert").
func openOpsgenie(u *url.URL) (post, error) {
	var c opsgenie.Config
	if err := c.SetURL(copied(u)); err != nil {
		return nil, err
	}
	if c.APIKey == "" || c.Host == "" {
		return nil, wrong("a part is missing")
	}
	address := fmt.Sprintf("https://%s:%d/v2/alerts", c.Host, c.Port)
	header := asJSON("Authorization", "GenieKey "+c.APIKey)
	return func(x *relay, n notify.Notification, m message) error {
		p := opsgenie.AlertPayload{
			Message: chat.Fit(m.title, opsgenie.MaxMessageLength, chat.Plain), Alias: n.Key, Description: m.text,
			Responders: c.Responders, VisibleTo: c.VisibleTo, Actions: c.Actions, Tags: c.Tags, Details: c.Details,
			Entity: c.Entity, Source: c.Source, Priority: c.Priority, User: c.User, Note: c.Note,
		}
		if p.Priority == "" {
			p.Priority = fmt.Sprintf("P%d", 5-level(n))
		}
		to, body := address, []byte(nil)
		var err error
		if n.Action == notify.Resolved {
			to += "/" + url.PathEscape(n.Key) + "/close?identifierType=alias"
			body, err = json.Marshal(map[string]string{"source": c.Source, "user": c.User, "note": m.both()})
		} else {
			body, err = json.Marshal(p)
		}
		if err != nil {
			return err
		}
		var answer struct{}
		return x.call(http.MethodPost, to, header, body, &answer)
	}, nil
}
