package jira_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/jira"
	"patrol/internal/notify/notifytest"
)

var deployments = []string{"cloud", "server"}

// both runs a test against either family.
func both(t *testing.T, more notify.Settings, test func(*testing.T, *site, notify.Sender)) {
	t.Helper()
	for _, deployment := range deployments {
		t.Run(deployment, func(t *testing.T) {
			s, sender := project(t, deployment, more)
			test(t, s, sender)
		})
	}
}

func changed(ref string) notify.Notification {
	n := notifytest.Changed()
	n.Ref = ref
	return n
}

func (s *site) writes() (list []string) {
	for _, r := range s.requests {
		if !strings.HasPrefix(r, "GET ") && !strings.Contains(r, "search") {
			list = append(list, r)
		}
	}
	return list
}

func TestOneIssueFromBeginningToEnd(t *testing.T) {
	more := notify.Settings{"priorities": "critical=Highest, high = High", "fields": `{"labels":["security"],"components":[{"name":"Platform"}],"customfield_10011":"{severity}"}`}
	both(t, more, func(t *testing.T, s *site, sender notify.Sender) {
		ref := notifytest.Send(t, sender, notifytest.Opened())
		if ref != "SEC-1" || len(s.issues) != 1 {
			t.Fatalf("ref %q, issues %v", ref, s.issues)
		}
		is := s.issues[0]
		if is.Type != "Task" || is.Priority != "Highest" || is.Custom != "critical" || !slices.Equal(is.Components, []string{"Platform"}) || !slices.Contains(is.Labels, "security") {
			t.Errorf("issue %+v", is)
		}
		if text := said(is.Description); !strings.Contains(text, "<script>") || !strings.Contains(text, `shop <&> "quoted"`) || !strings.Contains(text, notifytest.Opened().URL) {
			t.Errorf("description\n%s", text)
		}
		if s.cloud {
			notifytest.Sample(t, "jira", is.String())
		}
		if got := notifytest.Send(t, sender, changed(ref)); got != ref || is.Summary != notifytest.Changed().Title || len(is.Comments) != 1 {
			t.Errorf("changed: ref %q, %s", got, is)
		}
		if got := notifytest.Send(t, sender, notifytest.Resolved(ref)); got != ref || is.Status.Name != "Closed" || len(is.Comments) != 2 {
			t.Errorf("resolved: ref %q, %s", got, is)
		}
		if again := notifytest.Send(t, sender, notifytest.Opened()); again != "SEC-2" {
			t.Errorf("what opens anew is %q, want an issue of its own", again)
		}
	})
}

func TestNothingIsSaidTwice(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		ref := ""
		for _, n := range []notify.Notification{notifytest.Opened(), changed("SEC-1"), notifytest.Resolved("SEC-1"), notifytest.Told()} {
			ref = notifytest.Send(t, sender, n)
			before := len(s.writes())
			if again := notifytest.Send(t, sender, n); again != ref || len(s.writes()) != before {
				t.Errorf("%s again: %q, then %q, and %v", n.Action, ref, again, s.writes()[before:])
			}
		}
	})
}

func TestALostAnswerCreatesNoSecondIssue(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		s.after = func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/issue") {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		_, err := sender.Send(t.Context(), notifytest.Opened())
		if f := notifytest.Failure(t, err); f.Rejected || f.After < time.Minute || !strings.Contains(f.Said, "looked for before it is asked again") {
			t.Errorf("%+v; want it to be tried again when the search knows of the issue", f)
		}
		s.after = nil
		if ref := notifytest.Send(t, sender, notifytest.Opened()); ref != "SEC-1" || len(s.issues) != 1 {
			t.Errorf("ref %q of %d issues", ref, len(s.issues))
		}
	})
}

// A search that is later than the repetition is what remains: the end closes both.
func TestDoublesAreClosedTogether(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		s.late = true
		notifytest.Send(t, sender, notifytest.Opened())
		notifytest.Send(t, sender, notifytest.Opened())
		for _, is := range s.issues {
			is.unindexed = false
		}
		notifytest.Send(t, sender, notifytest.Resolved("SEC-2"))
		for _, is := range s.issues {
			if is.Status.Name != "Closed" {
				t.Errorf("%s", is)
			}
		}
	})
}

func TestResolvedWithoutRef(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		if ref := notifytest.Send(t, sender, notifytest.Resolved("")); ref != "" || len(s.writes()) != 0 {
			t.Errorf("nothing to resolve: %q, %v", ref, s.writes())
		}
		notifytest.Send(t, sender, notifytest.Opened())
		if ref := notifytest.Send(t, sender, notifytest.Resolved("")); ref != "SEC-1" || s.issues[0].Status.Name != "Closed" {
			t.Errorf("ref %q, %s", ref, s.issues[0])
		}
	})
}

func TestPeopleCloseIssues(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		ref := notifytest.Send(t, sender, notifytest.Opened())
		s.issues[0].Status, s.issues[0].Summary = statusOf("Won't do", "done"), "Edited by hand"
		notifytest.Send(t, sender, changed(ref))
		if is := s.issues[0]; len(s.issues) != 1 || len(is.Comments) != 1 || is.Summary != "Edited by hand" || is.Status.Name != "Won't do" {
			t.Errorf("a change of a closed issue: %s", is)
		}
		before := len(s.writes())
		if got := notifytest.Send(t, sender, notifytest.Resolved(ref)); got != ref || len(s.writes()) != before {
			t.Errorf("the end of a closed issue: %q, %v", got, s.writes()[before:])
		}
	})
}

func TestAnIssueThatIsGone(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		if ref := notifytest.Send(t, sender, notifytest.Resolved("SEC-99")); ref != "SEC-99" || len(s.writes()) != 0 {
			t.Errorf("resolved: %q, %v", ref, s.writes())
		}
		if ref := notifytest.Send(t, sender, changed("SEC-99")); ref != "SEC-1" {
			t.Errorf("changed: %q, want a new issue", ref)
		}
	})
}

func TestToldComesToTheOpenIssue(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		n := notifytest.Told()
		notifytest.Send(t, sender, n)
		n.ID = "01990000-0000-7000-8000-0000000000ff"
		if ref := notifytest.Send(t, sender, n); ref != "SEC-1" || len(s.issues[0].Comments) != 1 {
			t.Errorf("ref %q, %s", ref, s.issues[0])
		}
	})
}

func TestTransitions(t *testing.T) {
	closed, wontDo := statusOf("Closed", "done"), statusOf("Won't do", "done")
	offered := []transition{{"1", "Start", statusOf("In Progress", "indeterminate")}, {"2", "Reject", wontDo}, {"3", "Close Issue", closed}, {"4", "Closed", wontDo}}
	for _, test := range []struct {
		setting string
		offered []transition
		status  string
		said    string
	}{
		{"", offered, "Won't do", ""}, // the first of the category
		{"", append(offered, transition{"5", "done", closed}), "Closed", ""},
		{"", append(offered, transition{"5", "To done", statusOf("Done", "done")}), "Done", ""},
		{"close issue", offered, "Closed", ""},
		{"closed", offered, "Won't do", ""}, // a transition's name comes before a status's
		{"In Progress", offered, "In Progress", ""},
		{"none", offered, "To Do", ""},
		{"Finish", offered, "", "that SEC-1, whose status is To Do, has no transition Finish; resolve_transition may name one of: Start (to In Progress), Reject (to Won't do), Close Issue (to Closed), Closed (to Won't do)"},
	} {
		both(t, notify.Settings{"resolve_transition": test.setting}, func(t *testing.T, s *site, sender notify.Sender) {
			s.transitions = test.offered
			ref := notifytest.Send(t, sender, notifytest.Opened())
			_, err := sender.Send(t.Context(), notifytest.Resolved(ref))
			if test.said != "" {
				if f := notifytest.Failure(t, err); f.Said != test.said || f.Rejected {
					t.Errorf("%q: %+v", test.setting, f)
				}
			} else if is := s.issues[0]; err != nil || is.Status.Name != test.status || len(is.Comments) != 1 {
				t.Errorf("%q: %v, %s", test.setting, err, is)
			}
		})
	}
}

func TestResolution(t *testing.T) {
	for resolution, want := range map[string]string{"": "400 Bad Request: resolution: Resolution is required.", "Fixed": ""} {
		both(t, notify.Settings{"resolution": resolution}, func(t *testing.T, s *site, sender notify.Sender) {
			s.needs = "Resolution is required."
			ref := notifytest.Send(t, sender, notifytest.Opened())
			_, err := sender.Send(t.Context(), notifytest.Resolved(ref))
			if want != "" {
				if f := notifytest.Failure(t, err); f.Said != want || f.Rejected {
					t.Errorf("%+v", f)
				}
			} else if err != nil || s.issues[0].Resolution != resolution {
				t.Errorf("%v, %s with %q", err, s.issues[0], s.issues[0].Resolution)
			}
		})
	}
}

// In Cloud a field of paragraphs wants a document; placeholders in it are filled in.
func TestFieldOfParagraphs(t *testing.T) {
	const text = "{package} on {nodes} nodes"
	const document = `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"` + text + `"}]}]}`
	for _, c := range []struct{ deployment, environment, refused string }{
		{"cloud", document, ""},
		{"cloud", `"` + text + `"`, "400 Bad Request: environment: Operation value must be an Atlassian Document (see the Atlassian Document Format)"},
		{"server", `"` + text + `"`, ""},
	} {
		s, sender := project(t, c.deployment, notify.Settings{"fields": `{"environment":` + c.environment + `}`})
		_, err := sender.Send(t.Context(), notifytest.Opened())
		if c.refused != "" {
			if f := notifytest.Failure(t, err); f.Said != c.refused || f.Rejected {
				t.Errorf("%s: %+v", c.deployment, f)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := said(s.issues[0].Environment); got != "openssl on 2 nodes" {
			t.Errorf("%s: environment %q", c.deployment, got)
		}
	}
}

func TestHostileTextAndLimits(t *testing.T) {
	more := notify.Settings{"fields": `{"labels":["{package}","at {rule}"],"customfield_10011":"{title}{title}"}`}
	for _, hostile := range []string{
		"\x00\x1b[31m<script>alert(1)</script>\r\n{noformat}{{NoFormat:x} [~admin] *bold* !http://evil.example/x.png! \u202egnp.exe",
		strings.Repeat("\"", 10<<10), strings.Repeat("\\", 10<<10), strings.Repeat("{noformat}", 1<<10), strings.Repeat("[~", 5<<10),
		strings.Repeat("é\n", 5<<10), strings.Repeat("漢", 10<<10), strings.Repeat("🛑", 10<<10), strings.Repeat("\u2028", 10<<10) + "x", "a\xff" + strings.Repeat("z", 10<<10), " \n\t",
	} {
		both(t, more, func(t *testing.T, s *site, sender notify.Sender) {
			n := notifytest.Filled(hostile)
			ref := notifytest.Send(t, sender, n)
			n.ID, n.Action, n.Ref = notifytest.Changed().ID, notify.Changed, ref
			notifytest.Send(t, sender, n)
			for _, text := range []string{said(s.issues[0].Description), said(s.issues[0].Comments[0])} {
				if !strings.Contains(text, " more") || strings.ContainsAny(text, "\x00\x1b\u202e\u2028") {
					t.Errorf("%.20q: text %.300q", hostile, text)
				}
				if s.cloud {
					continue
				}
				if !strings.HasPrefix(text, "{noformat}\n") || strings.Count(strings.ToLower(text), "{noformat") != 2 || strings.Contains(text, "[~") || strings.Contains(text, "🛑") {
					t.Errorf("%.20q: text that leaves its block: %.300q", hostile, text)
				}
			}
		})
	}
}

func TestASummaryIsAsLongAsAllowed(t *testing.T) {
	for length, want := range map[int]string{255: strings.Repeat("a", 255), 256: strings.Repeat("a", 254) + "…"} {
		both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
			n := notifytest.Opened()
			n.Title = strings.Repeat("a", length)
			notifytest.Send(t, sender, n)
			if got := s.issues[0].Summary; got != want {
				t.Errorf("a title of %d became %q", length, got)
			}
		})
	}
}

func TestAnswersThatMeanNo(t *testing.T) {
	for _, test := range []struct {
		at       string
		status   int
		retry    string
		body     string
		said     string
		rejected bool
		after    time.Duration
	}{
		{"/issue", 400, "", `{"errorMessages":["No."],"errors":{"priority":"Priority name 'Highest' is not valid","customfield_10011":"Field 'customfield_10011' cannot be set. It is not on the appropriate screen, or unknown."}}`, "400 Bad Request: No.; customfield_10011: Field 'customfield_10011' cannot be set. It is not on the appropriate screen, or unknown.; priority: Priority name 'Highest' is not valid", false, 0},
		{"/issue", 400, "", `{"errorMessages":[],"errors":{"description":"The entered text is too long. It exceeds the allowed limit of 1,000 characters."}}`, "400 Bad Request: description: The entered text is too long. It exceeds the allowed limit of 1,000 characters.", true, 0},
		{"/issue", 504, "", `{"message":"The upstream server took too long to answer"}`, "504 Gateway Timeout: The upstream server took too long to answer", false, 2 * time.Minute},
		{"search", 403, "", `{"message":"The name of the user is too long"}`, "403 Forbidden: The name of the user is too long", false, 0},
		{"/issue", 413, "", "", "413 Request Entity Too Large", true, 0},
		{"/issue", 403, "", `{"errorMessages":["You do not have permission to create issues in this project."],"errors":{}}`, "403 Forbidden: You do not have permission to create issues in this project.", false, 0},
		{"/issue", 500, "", `{"errorMessages":["Internal server error"],"errors":{}}`, "500 Internal Server Error: Internal server error", false, 2 * time.Minute},
		{"/issue", 503, "600", "", "503 Service Unavailable", false, 10 * time.Minute},
		{"/issue", 201, "", `{}`, "that it created an issue, and not which", false, 2 * time.Minute},
		{"search", 401, "", `{"code":401,"message":"Unauthorized; scope does not match"}`, "401 Unauthorized: Unauthorized; scope does not match", false, 0},
		{"search", 404, "", `{"errorMessage":"Site temporarily unavailable"}`, `404 Not Found: {"errorMessage":"Site temporarily unavailable"}`, false, 0},
		{"search", 429, "17", `{"errorMessages":["Rate limit exceeded."],"errors":{}}`, "429 Too Many Requests: Rate limit exceeded.", false, 17 * time.Second},
		{"search", 200, "", "<html>Log in</html>", "", false, 0},
	} {
		both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
			at := test.at
			if at == "search" {
				at = map[bool]string{true: "/search/jql", false: "/search"}[s.cloud]
			}
			s.before = says(at, test.status, test.retry, test.body)
			_, err := sender.Send(t.Context(), notifytest.Opened())
			f := notifytest.Failure(t, err)
			want := test.said
			if want == "" {
				want = fmt.Sprintf("something that is not Jira's JSON to POST /rest/api/%s: %q", map[bool]string{true: "3/search/jql", false: "2/search"}[s.cloud], test.body)
			}
			if f.Said != want || f.Rejected != test.rejected || f.After != test.after {
				t.Errorf("%+v; want %q of %+v", *f, want, test)
			}
		})
	}
}

func TestWhatFailsOnTheWayIsDoneTheNextTime(t *testing.T) {
	for _, test := range []struct {
		action notify.Action
		at     string
		status int
	}{
		{notify.Changed, "GET /issue/SEC-1", 500},
		{notify.Changed, "GET /issue/SEC-1/comment", 403},
		{notify.Changed, "POST /issue/SEC-1/comment", 400},
		{notify.Changed, "PUT /issue/SEC-1", 400},
		{notify.Resolved, "POST /issue/SEC-1/comment", 403},
		{notify.Resolved, "GET /issue/SEC-1/transitions", 404},
		{notify.Resolved, "POST /issue/SEC-1/transitions", 409},
	} {
		both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
			n := changed(notifytest.Send(t, sender, notifytest.Opened()))
			if test.action == notify.Resolved {
				n = notifytest.Resolved(n.Ref)
			}
			s.before = says(test.at, test.status, "", `{"errorMessages":["Not now."]}`)
			_, err := sender.Send(t.Context(), n)
			if f := notifytest.Failure(t, err); f.Said != fmt.Sprintf("%d %s: Not now.", test.status, http.StatusText(test.status)) || f.Rejected {
				t.Errorf("%s: %+v", test.at, f)
			}
			s.before = nil
			notifytest.Send(t, sender, n)
			is := s.issues[0]
			if len(is.Comments) != 1 || (is.Status.Name == "Closed") != (test.action == notify.Resolved) || (is.Summary == n.Title) != (test.action == notify.Changed) {
				t.Errorf("%s, then: %s", test.at, is)
			}
		})
	}
}

func TestAMovedIssueIsFollowed(t *testing.T) {
	both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
		notifytest.Send(t, sender, notifytest.Opened())
		s.issues[0].Key, s.issues[0].formerly = "OPS-4", "SEC-1"
		if ref := notifytest.Send(t, sender, notifytest.Resolved("SEC-1")); ref != "OPS-4" || s.issues[0].Status.Name != "Closed" || len(s.issues[0].Comments) != 1 {
			t.Errorf("ref %q, %s", ref, s.issues[0])
		}
	})
}

func TestAProjectThatCannotBeSeen(t *testing.T) {
	both(t, notify.Settings{"project": "OPS"}, func(t *testing.T, _ *site, sender notify.Sender) {
		_, err := sender.Send(t.Context(), notifytest.Resolved("OPS-1"))
		if f := notifytest.Failure(t, err); f.Said != "400 Bad Request: The value 'OPS' does not exist for the field 'project'." || f.Rejected {
			t.Errorf("%+v", f)
		}
	})
}

func TestUserAndPassword(t *testing.T) {
	said := ""
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { said = r.Header.Get("Authorization") }))
	defer server.Close()
	sender := notifytest.Open(t, jira.Kind(), notify.Settings{"deployment": "server", "url": server.URL + "/jira/", "user": "patrol", "token": "password", "project": "SEC"})
	if _, err := sender.Send(t.Context(), notifytest.Told()); err == nil || said != "Basic cGF0cm9sOnBhc3N3b3Jk" {
		t.Errorf("%v as %q", err, said)
	}
}

func TestAnUnknownCertificateIsSaid(t *testing.T) {
	notifytest.Distrusts(t, func(url string) notify.Sender {
		return notifytest.Open(t, jira.Kind(), notify.Settings{"url": url, "user": "a@example.com", "token": "t", "project": "SEC"})
	})
}

func TestSettings(t *testing.T) {
	good := notify.Settings{"url": "https://example.atlassian.net", "user": "a@example.com", "token": "t", "project": "SEC"}
	with := func(field, value string) notify.Settings {
		settings := notify.Settings{field: value}
		for name, v := range good {
			if name != field {
				settings[name] = v
			}
		}
		return settings
	}
	for field, wrong := range map[string][]string{
		"url":        {"", "example.atlassian.net", "http://example.atlassian.net", "https://a:b@example.atlassian.net", "https://example.atlassian.net/?x=y"},
		"deployment": {"onprem"},
		"user":       {""},
		"token":      {""},
		"project":    {"", "sec", "SEC-1", `SEC" OR project = "OPS`},
		"priorities": {"Highest", "urgent=Highest", "high=", "high=High,high=Low"},
		"fields":     {"[]", "null", "{", "{} {}", `{"labels":"security"}`, `{"labels":[1]}`, `{"summary":"x"}`, `{"project":{"key":"OPS"}}`},
		"ca":         {"no certificate"},
	} {
		for _, value := range wrong {
			notifytest.Refuses(t, jira.Kind(), with(field, value), field)
		}
	}
	for field, value := range map[string]string{
		"url": "https://api.atlassian.com/ex/jira/11223344-a1b2-3b33-c444-def123456789", "priorities": "high=High,", "fields": `{"customfield_1":{"value":"x"},"duedate":null}`,
	} {
		notifytest.Open(t, jira.Kind(), with(field, value))
	}
	notifytest.Open(t, jira.Kind(), notify.Settings{"deployment": "server", "url": "http://jira.example/jira", "token": "pat", "project": "SEC"})
}

func TestCancelledWhileJiraHangs(t *testing.T) {
	for _, at := range []string{"search", "/issue"} {
		both(t, nil, func(t *testing.T, s *site, sender notify.Sender) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			s.before = func(_ http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, at) {
					return false
				}
				cancel()
				<-done
				return true
			}
			_, err := sender.Send(ctx, notifytest.Opened())
			close(done)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
	}
}
