// Package jira keeps an issue of Jira for each thing that notifications are about.
//
// Jira has no idempotency key, so the issue carries one: a label made of the
// notification's key, by which it is looked for before another is created, and each
// text ends with the notification's id, by which what was said already is not said
// again. An issue that people closed stays closed; what opens anew later gets a new one.
//
// Two families of Jira are spoken to. Cloud by "The Jira Cloud platform REST API" v3
// (Issues, Issue comments, Issue search: enhanced search), whose texts are documents of
// the Atlassian Document Format; Data Center, and Server before it, by the "Jira Data
// Center platform REST API" (api/2/issue, api/2/search), whose texts are wiki markup.
package jira

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// The values of the field deployment.
const (
	cloud  = "cloud"
	server = "server"
)

// stay is the value of resolve_transition by which issues are left open.
const stay = "none"

// Kind is Jira.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "jira", Title: "Jira", Tracks: true, Patience: time.Minute, Open: open,
		Fields: []notify.Field{
			{Name: "url", Label: "URL", Required: true, Help: "Where Jira is; what stands in the browser before /browse or /jira.", Example: "https://example.atlassian.net"},
			{Name: "deployment", Label: "Deployment", Default: cloud, Choices: []string{cloud, server}, Help: "server is Data Center, or Server before it."},
			{Name: "user", Label: "User", Help: "The account's e-mail address in Cloud; in Data Center its name, or nothing if the token is a personal access token.", Example: "patrol@example.com"},
			{Name: "token", Label: "Token", Required: true, Secret: true, Help: "Cloud: an API token of the account (id.atlassian.com, Security, API tokens). Data Center: a personal access token, or the user's password."},
			{Name: "project", Label: "Project key", Required: true, Help: "The letters before the number of the project's issues.", Example: "SEC"},
			{Name: "issue_type", Label: "Issue type", Default: "Task", Help: "Its name, in the language of the project.", Example: "Bug"},
			{Name: "priorities", Label: "Priorities", Help: "The priority for each severity; others get the project's default.", Example: "malicious=Highest, critical=Highest, high=High"},
			{
				Name: "fields", Label: "More fields", Multiline: true, Help: "A JSON object of what else is set when an issue is created. In texts {severity}, {vulnerability}, {package}, {nodes}, {title} and {rule} are filled in.",
				Example: `{"labels":["security"],"components":[{"name":"Platform"}],"customfield_10011":"{severity}"}`,
			},
			{Name: "resolve_transition", Label: "Transition that resolves", Default: "Done", Help: "Name of a transition, or of the status it leads to; Done also means any status of that category. With none, issues get a comment and people close them.", Example: "Close Issue"},
			{Name: "resolution", Label: "Resolution", Help: "What the transition sets, if it asks for a resolution.", Example: "Fixed"},
			notify.CA,
		},
	}
}

type sender struct {
	client        *http.Client
	api           *url.URL // with the version of the interface
	cloud         bool
	authorization string
	project       string
	issueType     string
	priorities    map[string]string
	fields        map[string]any
	transition    string
	resolution    string
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	base, err := address(s)
	if err != nil {
		return nil, err
	}
	to := &sender{
		cloud: s.Get("deployment") == cloud, project: s.Get("project"), issueType: s.Get("issue_type"),
		transition: s.Get("resolve_transition"), resolution: s.Get("resolution"),
	}
	user, token := s.Get("user"), s.Get("token")
	switch {
	case user != "":
		to.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+token))
	case to.cloud:
		return nil, notify.Invalid("user", "is needed in Cloud: the e-mail address of the account that the token is of")
	default:
		to.authorization = "Bearer " + token
	}
	to.api = base.JoinPath("rest", "api", "2")
	if to.cloud {
		to.api = base.JoinPath("rest", "api", "3")
	}
	if !regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).MatchString(to.project) {
		return nil, notify.Invalid("project", "is no project key such as SEC")
	}
	if to.priorities, err = priorities(s.Get("priorities")); err != nil {
		return nil, err
	}
	if to.fields, err = moreFields(s.Get("fields")); err != nil {
		return nil, err
	}
	to.client, err = notify.HTTPClient(guard, s.Get(notify.CA.Name))
	return to, err
}

func address(s notify.Settings) (*url.URL, error) {
	u, err := s.URL("url")
	switch {
	case err != nil:
		return nil, err
	case u.RawQuery != "" || u.Fragment != "":
		return nil, notify.Invalid("url", "has more than a host and a path, such as https://example.atlassian.net")
	case s.Get("deployment") == cloud && u.Scheme != "https":
		return nil, notify.Invalid("url", "does not begin with https://, and the token would be sent in the clear")
	}
	return u.JoinPath("/"), nil
}

// label is the issue's idempotency key. Labels hold no spaces and at most 255
// characters, so it is a digest.
func label(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "patrol-" + hex.EncodeToString(sum[:8])
}
