package report

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"patrol/internal/collect"
)

// IsTerminal tells whether somebody looks at what is written there.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

// Colorful tells whether to write there in colour (https://no-color.org).
func Colorful(w io.Writer) bool { return IsTerminal(w) && os.Getenv("NO_COLOR") == "" }

// Progress is one line of a terminal that says how far a scan has come. It is not
// for concurrent use. A nil Progress says nothing.
type Progress struct {
	w              io.Writer
	now            func() time.Time
	began, drawn   time.Time
	phase, details string
}

// NewProgress begins a line on w, or returns nil where nobody looks.
func NewProgress(w io.Writer) *Progress {
	if !IsTerminal(w) {
		return nil
	}
	return newProgress(w, time.Now)
}

func newProgress(w io.Writer, now func() time.Time) *Progress {
	return &Progress{w: w, now: now, began: now()}
}

// interval is how often the line is drawn at most.
const interval = 100 * time.Millisecond

// Phase begins a step: "collecting", "matching".
func (p *Progress) Phase(name string) {
	if p == nil {
		return
	}
	p.phase, p.details = name, ""
	p.draw()
}

// Collect tells how far collecting has come.
func (p *Progress) Collect(c collect.Progress) {
	if p == nil || p.now().Sub(p.drawn) < interval {
		return
	}
	switch {
	case c.Files == 0 && c.AllLayers > 0:
		p.details = fmt.Sprintf(": layer %d of %d", min(c.Layers+1, c.AllLayers), c.AllLayers)
	case c.AllLayers > 0:
		p.details = fmt.Sprintf(": %d files in %d layers, %s", c.Files, c.AllLayers, Clean(c.Directory))
	default:
		p.details = fmt.Sprintf(": %d files, %s", c.Files, Clean(c.Directory))
	}
	p.draw()
}

// widest keeps the line from wrapping on the narrowest of usual terminals.
const widest = 78

func (p *Progress) draw() {
	p.drawn = p.now()
	line := []rune(fmt.Sprintf("%4.1f s  %s%s", p.drawn.Sub(p.began).Seconds(), p.phase, p.details))
	if len(line) > widest {
		line = append(line[:widest-1], '…')
	}
	fmt.Fprint(p.w, "\r\x1b[K", strings.TrimRight(string(line), " "))
}

// Done takes the line away.
func (p *Progress) Done() {
	if p != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
