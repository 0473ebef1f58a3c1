package bulk

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Fields are those of both kinds, with what else one of them knows a client by.
func Fields(credentials ...notify.Field) []notify.Field {
	return slices.Concat([]notify.Field{
		{
			Name: "url", Label: "Server", Required: true, Example: "https://search.example.com:9200",
			Help: "The address of the cluster, with its port; a path only where a proxy puts it under one.",
		},
		{
			Name: "index", Label: "Index or data stream", Default: "patrol-findings", Example: "logs-patrol.findings-default",
			Help: "Where documents are created; it is made when the first comes, if the user may do that.",
		},
	}, credentials, []notify.Field{
		{Name: "user", Label: "User", Example: "patrol", Help: "A user that may create documents in the index."},
		{Name: "password", Label: "Password", Secret: true, Help: "That user's."},
		notify.CA,
	})
}

// Open checks the settings that both kinds have and returns a client without
// credentials.
func Open(s notify.Settings, guard *outgoing.Guard) (*Client, error) {
	server, err := s.URL("url")
	if err != nil {
		return nil, err
	}
	if server.RawQuery != "" || server.Fragment != "" {
		return nil, notify.Invalid("url", "has a ? or a #; only the cluster's address is meant")
	}
	index := s.Get("index")
	if fault := wrong(index); fault != "" {
		return nil, notify.Invalid("index", "%s", fault)
	}
	client, err := notify.HTTPClient(guard, s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	return &Client{HTTP: client, Server: server, Index: index, Header: http.Header{}}, nil
}

// wrong says what is wrong with the name of an index ("Create an index", path
// parameters), or "".
func wrong(index string) string {
	switch {
	case index == "." || index == "..", len(index) > 255:
		return "is no name of an index"
	case index != strings.ToLower(index):
		return "has capitals, which names of indexes never have"
	case strings.ContainsAny(index, "\\/*?\"<>| ,#:\t\r\n"):
		return `has one of \ / * ? " < > | , # : or a space, which names of indexes never have`
	case strings.HasPrefix(index, "-"), strings.HasPrefix(index, "_"), strings.HasPrefix(index, "+"):
		return "begins with -, _ or +, which names of indexes never do"
	}
	return ""
}

// Basic sets user and password, both or neither, and tells whether there are any.
func (c *Client) Basic(s notify.Settings) (bool, error) {
	user, password := s.Get("user"), s.Get("password")
	switch {
	case user == "" && password == "":
		return false, nil
	case user == "":
		return false, notify.Invalid("user", "is needed with a password")
	case password == "":
		return false, notify.Invalid("password", "is needed with a user")
	case strings.Contains(user, ":"):
		return false, notify.Invalid("user", "holds a colon, which no user's name can (RFC 7617, section 2)")
	}
	c.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	return true, nil
}
