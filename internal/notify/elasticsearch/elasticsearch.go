// Package elasticsearch writes each finding of a notification as a document to an
// index or a data stream of Elasticsearch, in the form of package document and by the
// protocol of package bulk. It follows "Bulk index or delete documents" and "API keys"
// of the Elasticsearch API.
package elasticsearch

import (
	"encoding/base64"
	"regexp"
	"strings"

	"patrol/internal/notify"
	"patrol/internal/notify/bulk"
	"patrol/internal/platform/outgoing"
)

// Kind is Elasticsearch.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "elasticsearch", Title: "Elasticsearch", Records: true, Open: open,
		Fields: bulk.Fields(notify.Field{
			Name: "api_key", Label: "API key", Secret: true, Example: "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==",
			Help: "As Kibana shows it under Encoded when it is made (Stack Management, API keys), or one of Elastic Cloud, which begins with essu_.",
		}),
	}
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	client, err := bulk.Open(s, guard)
	if err != nil {
		return nil, err
	}
	basic, err := client.Basic(s)
	if err != nil {
		return nil, err
	}
	key := s.Get("api_key")
	switch {
	case key == "" && !basic:
		return nil, notify.Invalid("api_key", "is needed, or a user with a password")
	case key != "" && basic:
		return nil, notify.Invalid("api_key", "is given beside a user; only one of them can be who asks")
	case key != "" && !encoded(key):
		return nil, notify.Invalid("api_key", "is not the encoded form, which is Base64 of the key's id, a colon and its secret, or begins with essu_")
	case key != "":
		client.Header.Set("Authorization", "ApiKey "+key)
	}
	return client, nil
}

// cloudKey matches the keys of Elastic Cloud, which say themselves what they are, and
// of whose inside Elastic says nothing.
var cloudKey = regexp.MustCompile(`^essu_[A-Za-z0-9+/=_-]+$`)

// encoded tells that a key has one of the forms in which it is sent.
func encoded(key string) bool {
	if cloudKey.MatchString(key) {
		return true
	}
	decoded, err := base64.StdEncoding.DecodeString(key)
	return err == nil && strings.Contains(string(decoded), ":")
}
