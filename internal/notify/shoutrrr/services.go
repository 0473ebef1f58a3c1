package shoutrrr

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/gotify"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushover"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// service is one of the services.
type service struct {
	title, example string
	limit          int // bytes of a message beside its title
	escape         chat.Escape
	// open reads a URL, connecting to nothing.
	open func(*url.URL) (post, error)
}

// post sends one message.
type post func(*relay, notify.Notification, message) error

// services are those whose connections the guard makes, by the schemes of their URLs.
func services() map[string]service {
	return map[string]service{
		"discord":    {"Discord", "discord://TOKEN@WEBHOOK_ID", 1900, markdown, openDiscord},
		"googlechat": {"Google Chat", "googlechat://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN", 3500, apart, openGoogleChat},
		"gotify":     {"Gotify", "gotify://gotify.example.com/TOKEN", 3500, chat.Plain, openGotify},
		"matrix":     {"Matrix", "matrix://:ACCESS_TOKEN@matrix.example.com/?rooms=!ROOM_ID", 3500, apart, openMatrix},
		"mattermost": {"Mattermost", "mattermost://mattermost.example.com/TOKEN", 3500, markdown, openMattermost},
		"ntfy":       {"ntfy", "ntfy://ntfy.sh/TOPIC", 3500, chat.Plain, openNtfy},
		"opsgenie":   {"Opsgenie", "opsgenie://api.opsgenie.com/API_KEY", 12000, apart, openOpsgenie},
		"pushover":   {"Pushover", "pushover://shoutrrr:API_TOKEN@USER_KEY", 1000, chat.Plain, openPushover},
		"rocketchat": {"Rocket.Chat", "rocketchat://rocketchat.example.com/TOKEN_A/TOKEN_B", 3500, apart, openRocketChat},
		"telegram":   {"Telegram", "telegram://TOKEN@telegram?chats=@CHANNEL", 3500, apart, openTelegram},
		"zulip":      {"Zulip", "zulip://BOT_MAIL:BOT_KEY@zulip.example.com/?stream=STREAM&topic=TOPIC", 3500, apart, openZulip},
	}
}

// byLibrary is for services to which the library sends, by a client of ours. Each time
// a service is made anew: the library's keep what they are sent. Of answers the library
// looks at the status alone, so means looks at the rest.
func byLibrary(u *url.URL, means func([]byte) bool, build func(*url.URL, *http.Client) (types.Service, error), send func(types.Service, notify.Notification, message) error) (post, error) {
	if _, err := build(copied(u), nil); err != nil {
		return nil, err
	}
	return func(x *relay, n notify.Notification, m message) error {
		x.means = means
		s, err := build(copied(u), x.httpClient())
		if err != nil {
			return err
		}
		return send(s, n, m)
	}, nil
}

// copied is for the library, which changes a URL.
func copied(u *url.URL) *url.URL {
	v := *u
	return &v
}

// prefers tells that a URL says for itself how urgent its messages are.
func prefers(u *url.URL) bool {
	for option := range u.Query() {
		if strings.EqualFold(option, "priority") {
			return true
		}
	}
	return false
}

// openDiscord: an embed, so that mentions call nobody (Discord, "Execute Webhook").
func openDiscord(u *url.URL) (post, error) {
	for option := range u.Query() {
		if strings.EqualFold(option, "json") {
			return nil, wrong("Patrol's messages are no JSON")
		}
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, wrong("nothing follows the webhook's id")
	}
	build := func(u *url.URL, c *http.Client) (types.Service, error) {
		s := &discord.Service{}
		err := s.Initialize(u, nil)
		s.HTTPClient = c
		return s, err
	}
	return byLibrary(u, nothingSaid, build, func(s types.Service, _ notify.Notification, m message) error {
		return s.Send(m.text, &types.Params{"title": m.title, "splitlines": "no"})
	})
}

func openGotify(u *url.URL) (post, error) {
	build := func(u *url.URL, c *http.Client) (types.Service, error) {
		s := &gotify.Service{}
		if err := s.Initialize(u, nil); err != nil {
			return nil, err
		}
		if !(&gotify.DefaultValidator{}).ValidateToken(s.Config.Token) {
			return nil, wrong("an application's token has 15 characters and begins with A")
		}
		if c != nil {
			*s.GetHTTPClient() = *c
		}
		return s, nil
	}
	return byLibrary(u, nil, build, func(s types.Service, n notify.Notification, m message) error {
		params := types.Params{"title": m.title}
		if !prefers(u) {
			params["priority"] = strconv.Itoa(2 * level(n))
		}
		return s.Send(m.text, &params)
	})
}

func openMattermost(u *url.URL) (post, error) {
	build := func(u *url.URL, c *http.Client) (types.Service, error) {
		s := &mattermost.Service{}
		if err := s.Initialize(u, nil); err != nil {
			return nil, err
		}
		if c != nil {
			*s.GetHTTPClient() = *c
		}
		return s, nil
	}
	return byLibrary(u, ok, build, func(s types.Service, _ notify.Notification, m message) error {
		return s.Send(m.both(), nil)
	})
}

// openNtfy: what is sent again takes the place of what is there (ntfy, "Publishing",
// section "Updating notifications").
func openNtfy(u *url.URL) (post, error) {
	if u.Host == "" {
		return nil, wrong("the server is missing")
	}
	build := func(u *url.URL, c *http.Client) (types.Service, error) {
		s := &ntfy.Service{}
		if err := s.Initialize(u, nil); err != nil {
			return nil, err
		}
		if s.Config.Scheme != "https" && s.Config.Scheme != "http" {
			return nil, wrong("its scheme is neither https nor http")
		}
		s.SetHTTPClient(c)
		return s, nil
	}
	send, err := byLibrary(u, nil, build, func(s types.Service, n notify.Notification, m message) error {
		params := types.Params{"title": m.title}
		if !prefers(u) {
			params["priority"] = strconv.Itoa(level(n) + 1)
		}
		return s.Send(m.text, &params)
	})
	return func(x *relay, n notify.Notification, m message) error {
		x.header = http.Header{"X-Sequence-Id": {n.ID}}
		return send(x, n, m)
	}, err
}

func openPushover(u *url.URL) (post, error) {
	build := func(u *url.URL, c *http.Client) (types.Service, error) {
		s := &pushover.Service{}
		err := s.Initialize(u, nil)
		s.Client = c
		return s, err
	}
	return byLibrary(u, status1, build, func(s types.Service, n notify.Notification, m message) error {
		params := types.Params{"title": m.title}
		if !prefers(u) {
			// 1 goes past quiet hours, -1 makes no sound (Pushover, "Message Priority").
			params["priority"] = map[int]string{1: "-1", 2: "0", 3: "0", 4: "1"}[level(n)]
		}
		return s.Send(m.text, &params)
	})
}

func openRocketChat(u *url.URL) (post, error) {
	build := func(u *url.URL, c *http.Client) (types.Service, error) {
		s := &rocketchat.Service{Client: c}
		if err := s.Initialize(u, nil); err != nil {
			return nil, err
		}
		if s.Config.TokenA == "" || s.Config.TokenB == "" {
			return nil, wrong("a token is missing")
		}
		return s, nil
	}
	return byLibrary(u, success, build, func(s types.Service, _ notify.Notification, m message) error {
		return s.Send(m.both(), nil)
	})
}

func nothingSaid(answer []byte) bool { return len(answer) == 0 }

func ok(answer []byte) bool { return strings.TrimSpace(string(answer)) == "ok" }

func status1(answer []byte) bool {
	var said struct {
		Status int `json:"status"`
	}
	return json.Unmarshal(answer, &said) == nil && said.Status == 1
}

func success(answer []byte) bool {
	var said struct {
		Success bool `json:"success"`
	}
	return json.Unmarshal(answer, &said) == nil && said.Success
}
