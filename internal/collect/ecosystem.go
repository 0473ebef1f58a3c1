package collect

import (
	"bufio"
	"io"
	"strings"

	"patrol/internal/sbom"
)

// release is os-release(5): KEY=value lines, values optionally quoted.
type release map[string]string

// parseRelease reads os-release. It stops at maxReleaseBytes, since the file is
// part of a tree that somebody else wrote.
func parseRelease(r io.Reader) release {
	const maxReleaseBytes = 64 << 10
	rel := release{}
	lines := bufio.NewScanner(io.LimitReader(r, maxReleaseBytes))
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		rel[key] = value
	}
	return rel
}

func (r release) distribution() sbom.Distribution {
	return sbom.Distribution{ID: r["ID"], Version: r["VERSION_ID"], Name: r["PRETTY_NAME"]}
}

// ecosystem is that of the distribution's own packages.
func (r release) ecosystem() string {
	return sbom.Release{
		ID: r["ID"], Version: r["VERSION_ID"], Codename: r["VERSION_CODENAME"], PrettyName: r["PRETTY_NAME"], CPEName: r["CPE_NAME"],
	}.Ecosystem()
}
