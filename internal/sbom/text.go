package sbom

import "strings"

// CleanText replaces what is no UTF-8, which JSON cannot hold, and U+0000, which
// PostgreSQL cannot, by U+FFFD. Whoever writes a package's files can put both into
// its name; what bears such a name is matched with nothing.
func CleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

func (d *Document) cleanText() {
	for _, field := range []*string{&d.Distribution.ID, &d.Distribution.Version, &d.Distribution.Name} {
		*field = CleanText(*field)
	}
	for i := range d.Components {
		c := &d.Components[i]
		for _, field := range []*string{&c.Ecosystem, &c.Name, &c.Version, &c.PURL, &c.Source.Name, &c.Source.Version} {
			*field = CleanText(*field)
		}
		for j, location := range c.Locations {
			if clean := CleanText(location); clean != location {
				c.Locations[j] = clean
			}
		}
		if l := c.Layer; l != nil && (CleanText(l.Digest) != l.Digest || CleanText(l.Instruction) != l.Instruction) {
			c.Layer = &Layer{CleanText(l.Digest), CleanText(l.Instruction)} // others share the old one
		}
	}
}

// unclean names the first field that holds U+0000; "" if none does, or none can.
func (c *Component) unclean(suspect bool) string {
	if !suspect {
		return ""
	}
	fields := []struct{ name, text string }{
		{"ecosystem", c.Ecosystem},
		{"name", c.Name},
		{"version", c.Version},
		{"purl", c.PURL},
		{"source.name", c.Source.Name},
		{"source.version", c.Source.Version},
	}
	for _, location := range c.Locations {
		fields = append(fields, struct{ name, text string }{"locations", location})
	}
	if c.Layer != nil {
		fields = append(fields, struct{ name, text string }{"layer", c.Layer.Digest + c.Layer.Instruction})
	}
	for _, f := range fields {
		if strings.ContainsRune(f.text, 0) {
			return f.name
		}
	}
	return ""
}
