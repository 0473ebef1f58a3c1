package shoutrrr_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/shoutrrr"
	"patrol/internal/platform/outgoing"
	"patrol/internal/platform/problem"
)

func open(t *testing.T, f far, url string) notify.Sender {
	t.Helper()
	return notifytest.Open(t, shoutrrr.Kind(), notify.Settings{"url": url, "ca": f.CA})
}

// sent sends a notification and returns what the service was told.
func sent(t *testing.T, k known, f far, n notify.Notification) said {
	t.Helper()
	ref, err := open(t, f, k.url).Send(context.Background(), n)
	if err != nil || ref != "" {
		t.Fatalf("%s: %q, %v", n.Action, ref, err)
	}
	got := f.Got()
	if len(got) != 1 {
		t.Fatalf("%s: %d requests", n.Action, len(got))
	}
	r := got[0]
	if path := strings.ReplaceAll(k.path, "{id}", n.ID); r.Method != k.method || r.Path != path {
		t.Errorf("%s %s, want %s %s", r.Method, r.Path, k.method, path)
	}
	if k.header[0] != "" && r.Header.Get(k.header[0]) != k.header[1] {
		t.Errorf("%s: %s, want %s", k.header[0], r.Header.Get(k.header[0]), k.header[1])
	}
	s := said{r.Header.Get("Title"), string(r.Body)} // ntfy's
	if k.read != nil {
		s = k.read(t, r.Body)
	}
	if len(s.text) > k.most || !utf8.ValidString(s.text) || s.title == "" || s.text == "" {
		t.Errorf("%d of %d bytes, title %q, text %q", len(s.text), k.most, s.title, s.text)
	}
	return s
}

func TestServices(t *testing.T) {
	for name, k := range services() {
		t.Run(name, func(t *testing.T) {
			f := newFar(t, notifytest.Says(200, k.yes))
			opened := sent(t, k, f, notifytest.Opened())
			for _, part := range []string{"Severity: critical", "openssl on web-1", "https://patrol.example/vulnerabilities/CVE-2099-0001", "Exploited, by CISA's catalogue."} {
				if !strings.Contains(opened.text, part) {
					t.Errorf("%q is not in %q", part, opened.text)
				}
			}
			if !strings.HasPrefix(opened.title, "🔴 CVE-2099-0001 ") {
				t.Errorf("title %q", opened.title)
			}
			if changed := sent(t, k, f, notifytest.Changed()); !strings.Contains(changed.text, "… and 1 more") {
				t.Errorf("changed: %q", changed.text)
			}
			if told := sent(t, k, f, notifytest.Told()); told.title != "🟠 The feed is stale" || !strings.Contains(told.text, "It was last updated two days ago.\nSince: 2026-08-19") {
				t.Errorf("told: %q", told)
			}
			if name != "opsgenie" {
				if resolved := sent(t, k, f, notifytest.Resolved("")); !strings.HasPrefix(resolved.title, "✅ Resolved") {
					t.Errorf("resolved: %q", resolved)
				}
			}
			if huge := sent(t, k, f, notifytest.Huge()); !strings.Contains(huge.text, " more") {
				t.Errorf("huge: %q", huge.text)
			}
			hostile := sent(t, k, f, notifytest.Hostile())
			if strings.ContainsAny(hostile.title+hostile.text, "\x00\x1b\u202e\r") {
				t.Errorf("control characters in %q", hostile)
			}
			switch name {
			case "gotify", "ntfy", "pushover": // they interpret nothing
			default:
				if all := hostile.title + hostile.text; strings.Contains(all, "@everyone") || strings.Contains(all, "](") || strings.Contains(all, "<!") && !strings.Contains(all, `\<!`) {
					t.Errorf("markup in %q", hostile)
				}
			}
		})
	}
}

func TestOpsgenieCloses(t *testing.T) {
	f := newFar(t, notifytest.Says(202, `{"result":"Request will be processed"}`))
	if _, err := open(t, f, services()["opsgenie"].url).Send(context.Background(), notifytest.Resolved("")); err != nil {
		t.Fatal(err)
	}
	got := f.Got()
	var p struct{ Source, User, Note string } // Opsgenie, "Alert API", "Close Alert"
	strictly(t, got[0].Body, &p)
	if got[0].Path != "/v2/alerts/new-critical%2FCVE-2099-0001/close?identifierType=alias" || !strings.Contains(p.Note, "Resolved") {
		t.Errorf("%s %+v", got[0].Path, p)
	}
}

func TestMatrixAlias(t *testing.T) {
	f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
		answer := `{"event_id":"$1"}`
		if r.Method == http.MethodPost {
			answer = `{"room_id":"!found:service.example"}`
		}
		notifytest.Says(200, answer)(w, r)
	})
	if _, err := open(t, f, "matrix://:secrettoken@service.example/?room=alerts:service.example").Send(context.Background(), notifytest.Told()); err != nil {
		t.Fatal(err)
	}
	got := f.Got()
	if len(got) != 2 || got[0].Path != "/_matrix/client/v3/join/%23alerts:service.example" || !strings.Contains(got[1].Path, "/rooms/%21found:service.example/send/") {
		t.Errorf("asked %v", got)
	}
}

// What is sent again is the same message, which ntfy puts in the place of the first.
func TestSequenceOfNtfy(t *testing.T) {
	f := newFar(t, notifytest.Says(200, `{"id":"x"}`))
	for range 2 {
		if _, err := open(t, f, "ntfy://service.example/topic").Send(context.Background(), notifytest.Opened()); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range f.Got() {
		if got := r.Header.Values("X-Sequence-ID"); len(got) != 1 || got[0] != notifytest.Opened().ID {
			t.Errorf("sequence %q", got)
		}
	}
}

func TestPriorityOfOne(t *testing.T) {
	f := newFar(t, notifytest.Says(200, `{"id":"x"}`))
	for query, want := range map[string]string{"": "Max", "?priority=low": "Low"} {
		if _, err := open(t, f, "ntfy://service.example/topic"+query).Send(context.Background(), notifytest.Opened()); err != nil {
			t.Fatal(err)
		}
		if got := f.Got()[0].Header.Get("Priority"); got != want {
			t.Errorf("with %q the priority is %s", query, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, k := range services() {
		t.Run(name, func(t *testing.T) {
			f := newFar(t, nil)
			for _, c := range []struct {
				answer   http.HandlerFunc
				said     string
				rejected bool
				after    time.Duration
			}{
				{notifytest.Says(400, "bad secrettoken"), "400 Bad Request: bad ", false, 0},
				{notifytest.Says(401, `{"errorCode":401}`), `401 Unauthorized: {"errorCode":401}`, false, 0},
				{notifytest.Says(403, ""), "403 Forbidden", false, 0},
				{notifytest.Says(404, `{"message":"Unknown Webhook"}`), `404 Not Found: {"message":"Unknown Webhook"}`, false, 0},
				{notifytest.Says(413, ""), "413 Request Entity Too Large", true, 0},
				{notifytest.Says(429, "", "Retry-After", "9"), "429 Too Many Requests", false, 9 * time.Second},
				{notifytest.Says(429, `{"retry_after":1.5}`), "429 Too Many Requests", false, 1500 * time.Millisecond},
				{notifytest.Says(429, `{"retry_after_ms":2000}`), "429 Too Many Requests", false, 2 * time.Second},
				{notifytest.Says(429, `{"ok":false,"parameters":{"retry_after":35}}`), "429 Too Many Requests", false, 35 * time.Second},
				{notifytest.Says(500, ""), "500 Internal Server Error", false, 0},
				{notifytest.Says(503, "later"), "503 Service Unavailable: later", false, 0},
			} {
				f.Answer(c.answer)
				_, err := open(t, f, k.url).Send(context.Background(), notifytest.Opened())
				got := notifytest.Failure(t, err)
				if !strings.HasPrefix(got.Said, c.said) || got.Rejected != c.rejected || got.After != c.after {
					t.Errorf("%+v; want %q, rejected %v, after %s", *got, c.said, c.rejected, c.after)
				}
				if n := len(f.Got()); n != 1 {
					t.Errorf("%s: asked %d times", c.said, n)
				}
			}
		})
	}
}

// A page of some proxy says yes to everything.
func TestAnotherAnswers(t *testing.T) {
	f := newFar(t, notifytest.Says(200, "<html>please sign in"))
	for name, k := range services() {
		_, err := open(t, f, k.url).Send(context.Background(), notifytest.Opened())
		if got := notifytest.Failure(t, err); !strings.Contains(got.Said, "<html>") && !strings.Contains(got.Said, "nothing that") {
			t.Errorf("%s: %+v", name, *got)
		}
	}
	for name, answer := range map[string]string{"telegram": `{"ok":false,"description":"chat not found"}`, "zulip": `{"result":"error","msg":"no stream"}`, "pushover": `{"status":0}`, "rocketchat": `{"success":false}`} {
		f.Answer(notifytest.Says(200, answer))
		_, err := open(t, f, services()[name].url).Send(context.Background(), notifytest.Opened())
		if got := notifytest.Failure(t, err); !strings.HasPrefix(got.Said, "200: ") {
			t.Errorf("%s: %+v", name, *got)
		}
	}
}

func TestNothingTellsSecrets(t *testing.T) {
	f := newFar(t, nil)
	for name, k := range services() {
		for _, answer := range []http.HandlerFunc{
			notifytest.Says(200, k.yes),
			notifytest.Says(403, "no: secrettoken secretkey secret-token secretword secretuserkey secrettokenA secrettokenB AsecretToken012"),
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		} {
			f.Answer(answer)
			ctx, exchange := notify.WithExchange(context.Background())
			_, err := open(t, f, k.url).Send(ctx, notifytest.Opened())
			request, response := exchange.Said(nil)
			if request == "" || response == "" && k.yes != "" {
				t.Errorf("%s: noted %q and %q", name, request, response)
			}
			all := request + response
			if err != nil {
				all += err.Error()
			}
			parsed, err := url.Parse(k.url)
			if err != nil {
				t.Fatal(err)
			}
			password, _ := parsed.User.Password()
			secrets := append(strings.Split(parsed.Path, "/"), password, parsed.User.Username(), parsed.Query().Get("key"), parsed.Query().Get("token"))
			for _, secret := range secrets {
				if strings.Contains(secret, "secret") && strings.Contains(all, secret) {
					t.Errorf("%s tells %s in %s", name, secret, all)
				}
			}
		}
	}
}

func TestGuard(t *testing.T) {
	f := newFar(t, notifytest.Says(200, "ok"))
	for name, k := range services() {
		if !strings.Contains(k.url, "service.example") && name != "opsgenie" && name != "googlechat" {
			continue // the host is the service's own
		}
		u := k.url
		for _, host := range hosts {
			u = strings.Replace(u, "@"+host, "@"+f.address, 1)
			u = strings.Replace(u, "//"+host, "//"+f.address, 1)
		}
		sender, err := shoutrrr.Kind().Prepare(notify.Settings{"url": u, "ca": f.CA}, outgoing.New(nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := sender.Send(context.Background(), notifytest.Opened()); !errors.Is(err, outgoing.ErrAddress) {
			t.Errorf("%s to this machine: %v", name, err)
		}
		if got := f.Got(); len(got) != 0 {
			t.Errorf("%s reached this machine: %v", name, got)
		}
	}
}

func TestNoTrust(t *testing.T) {
	newFar(t, notifytest.Says(200, "ok"))
	for name, k := range services() {
		sender := notifytest.Open(t, shoutrrr.Kind(), notify.Settings{"url": k.url})
		if _, err := sender.Send(context.Background(), notifytest.Opened()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s, with a certificate that nobody knows: %v", name, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	for name, k := range services() {
		began := make(chan struct{})
		f := newFar(t, notifytest.Silent(began))
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-began; cancel() }()
		if _, err := open(t, f, k.url).Send(ctx, notifytest.Opened()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, which hangs: %v", name, err)
		}
		cancel()
	}
}

func TestSettings(t *testing.T) {
	for _, u := range []string{
		"", "discord", "https://discord.com/api/webhooks/1/2", "nobody://x", "discord://token", "discord://token@1?json=yes", "discord://token@1/raw", "discord://t@1?colour=1",
		"slack://hook:a-b-c@webhook", "teams://a@b/c", "pagerduty://key", "smtp://u:p@host", "generic://host", "logger://", "signal://host/1/2", "bark://:key@host", "ifttt://key/?events=a",
		"gotify://service.example/short", "gotify://service.example/AsecretToken012?insecureskipverify=yes", "ntfy://service.example/", "ntfy:///topic",
		"ntfy://service.example/t?scheme=file", "ntfy://service.example/t?disabletlsverification=yes", "mattermost://service.example/", "mattermost://dummy@dummy.com",
		"pushover://shoutrrr:@user", "rocketchat://service.example/a", "rocketchat://service.example//", "telegram://1:a@telegram", "telegram://x:y@telegram?chats=1",
		"telegram://1:a@telegram?chats=1,2", "telegram://1:a@telegram?chats=", "telegram://1:a@telegram?chats=1:x", "googlechat://chat.googleapis.com/v1/spaces/A/messages?key=k",
		"zulip://a:b@service.example/", "zulip://service.example/?stream=a", "matrix://user:pw@service.example/?rooms=a", "matrix://:t@service.example/", "matrix://:t@service.example/?rooms=",
		"matrix://:t@service.example/?rooms=,", "matrix://:t@service.example/?rooms=a,b", "opsgenie://api.opsgenie.com", "opsgenie://api.opsgenie.com/", "%zz",
	} {
		notifytest.Refuses(t, shoutrrr.Kind(), notify.Settings{"url": u}, "url")
	}
	notifytest.Refuses(t, shoutrrr.Kind(), notify.Settings{"url": "ntfy://service.example/t", "ca": "none"}, "ca")
	_, err := shoutrrr.Kind().Prepare(notify.Settings{"url": "telegram://secretname:secret*word@telegram?chats=1"}, notifytest.Guard())
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a refusal that quotes: %v", err)
	}
}

func TestSeveralAtOnce(t *testing.T) {
	for name, k := range services() {
		f := newFar(t, notifytest.Says(200, k.yes))
		sender := open(t, f, k.url)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := sender.Send(context.Background(), notifytest.Opened()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		if n := len(f.Got()); n != 8 {
			t.Errorf("%s: %d messages", name, n)
		}
	}
}

// Whatever somebody saves, the library reads it.
func FuzzURL(f *testing.F) {
	for _, k := range services() {
		f.Add(k.url)
	}
	f.Fuzz(func(t *testing.T, u string) {
		_, err := shoutrrr.Kind().Prepare(notify.Settings{"url": u}, notifytest.Guard())
		var wrong *problem.Error
		if err != nil && !errors.As(err, &wrong) {
			t.Errorf("%q: %v", u, err)
		}
	})
}

func TestSample(t *testing.T) {
	f := newFar(t, notifytest.Says(204, ""))
	if _, err := open(t, f, services()["discord"].url).Send(context.Background(), notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "shoutrrr", notifytest.Pretty(t, f.Got()[0].Body))
}
