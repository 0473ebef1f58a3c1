package notify

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	// masked stands for a secret.
	masked = "●●●●"
	// shortest is how many characters a text must have to be told by: what is shorter
	// stands in any text by chance.
	shortest = 4
	// token is how long a part of an address is that is taken for a secret by itself.
	token = 16
)

// Mask returns a text without secrets, in any of the forms in which far sides and
// libraries repeat them. The longest go first: one may hold another. It is a text that
// both databases can hold, too.
func Mask(text string, secrets []string) string {
	var all []string
	for _, s := range secrets {
		all = append(all, forms(s)...)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	for _, s := range slices.Compact(all) {
		text = strings.ReplaceAll(text, s, masked)
	}
	pieces := strings.Split(text, "…")
	for i, piece := range pieces {
		pieces[i] = withoutTail(piece, all)
	}
	return clean(credentials.ReplaceAllString(strings.Join(pieces, "…"), "$1 "+masked))
}

// credentials are those of a header that a far side repeats: Basic ones hold a secret in
// a form that it is not known by.
var credentials = regexp.MustCompile(`(?i)\b(basic|bearer) [A-Za-z0-9+/=._~-]{8,}`)

// forms are those in which a secret may stand in a text.
func forms(secret string) []string {
	var plain []string
	for line := range strings.Lines(secret) {
		line = strings.TrimSpace(line)
		plain = append(plain, line)
		if name, value, found := strings.Cut(line, ":"); found && !strings.ContainsAny(name, " /") { // of a header
			value = strings.TrimSpace(value)
			plain = append(plain, value)
			if scheme, credentials, found := strings.Cut(value, " "); found && !strings.ContainsAny(scheme, ":/") { // RFC 9110, section 11.4
				plain = append(plain, strings.TrimSpace(credentials))
			}
		}
		plain = append(plain, ofURL(line)...)
	}
	plain = append(plain, strings.TrimSpace(secret))
	var all []string
	for _, s := range plain {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), inJSON(s)} {
			if len(form) >= shortest {
				all = append(all, form)
			}
		}
	}
	return all
}

// ofURL are the parts of an address by which whoever reads them could use it.
func ofURL(text string) []string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil
	}
	parts := []string{u.String(), u.Redacted()}
	if uri := u.RequestURI(); len(uri) > shortest {
		parts = append(parts, uri)
	}
	if u.RawQuery != "" {
		parts = append(parts, u.RawQuery)
	}
	if len(u.Path) > shortest {
		parts = append(parts, u.Path)
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= token {
			parts = append(parts, segment)
		}
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if len(value) >= 2*shortest {
				parts = append(parts, value)
			}
		}
	}
	if password, ok := u.User.Password(); ok {
		parts = append(parts, password)
	}
	return parts
}

// inJSON is a text as JSON has it within quotes.
func inJSON(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(text[1 : len(text)-1])
}

// withoutTail masks the beginning of a secret at the end of a text that was cut there.
func withoutTail(text string, secrets []string) string {
	longest := 0
	for _, s := range secrets {
		for n := min(len(s)-1, len(text)); n >= 2*shortest && n > longest; n-- {
			if strings.HasSuffix(text, s[:n]) {
				longest = n
			}
		}
	}
	if longest == 0 {
		return text
	}
	return text[:len(text)-longest] + masked
}

// clean returns a text that both databases can hold: PostgreSQL's have no U+0000.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}
