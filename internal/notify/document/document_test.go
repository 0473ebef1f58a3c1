package document_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
	"patrol/internal/notify/notifytest"
)

func decode(t *testing.T, d document.Document) map[string]any {
	t.Helper()
	line, err := document.Line(d)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(line, &members); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return members
}

func TestEachFindingIsADocument(t *testing.T) {
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved("")} {
		documents := document.Of(n)
		if len(documents) != 2 {
			t.Fatalf("%s: %d documents; want 2", n.Action, len(documents))
		}
		for i, d := range documents {
			got := decode(t, d)
			for name, want := range map[string]any{
				"time": "2026-08-21T12:00:00Z", "patrol_id": n.ID + "-" + []string{"17", "18"}[i], "notification": n.ID,
				"key": "new-critical/CVE-2099-0001", "action": string(n.Action), "type": n.Type, "title": n.Title, "text": n.Text,
				"findings": float64(n.Total), "nodes": float64(n.Nodes), "vulnerability": "CVE-2099-0001", "score": 9.8, "kev": true,
				"package": "openssl", "node_name": n.Findings[i].Node.Name, "opened_at": "2026-08-21T12:00:00Z",
			} {
				if got[name] != want {
					t.Errorf("%s: %s is %v; want %v", n.Action, name, got[name], want)
				}
			}
		}
	}
}

func TestWithoutFindingsThereIsOneDocument(t *testing.T) {
	documents := document.Of(notifytest.Told())
	if len(documents) != 1 {
		t.Fatalf("%d documents; want 1", len(documents))
	}
	got := decode(t, documents[0])
	if got["patrol_id"] != notifytest.Told().ID || got["data"] != `{"stale_since":"2026-08-19T12:00:00Z"}` {
		t.Errorf("told %v", got)
	}
	for _, name := range []string{"vulnerability", "kev", "score", "opened_at", "node_id", "fixable"} {
		if value, ok := got[name]; ok {
			t.Errorf("%s is %v in a document about no finding", name, value)
		}
	}
}

func TestTimeComesFirst(t *testing.T) {
	line, err := document.Line(document.Of(notifytest.Opened())[0])
	if err != nil || !strings.HasPrefix(string(line), `{"time":"2026-08-21T12:00:00Z",`) {
		t.Errorf("%v: %s", err, line)
	}
}

// TestNumbersHaveAFraction: a store that infers types takes the first it sees.
func TestNumbersHaveAFraction(t *testing.T) {
	for number, want := range map[document.Number]string{9.8: "9.8", 10: "10.0", 0: "0.0", 0.00042: "0.00042", document.Number(math.NaN()): "0.0", document.Number(math.Inf(1)): "0.0"} {
		if got, err := json.Marshal(number); err != nil || string(got) != want {
			t.Errorf("%v is written %s, %v; want %s", float64(number), got, err, want)
		}
	}
}

// TestHostileTexts: whatever a finding says, a document is one line of bounded size.
func TestHostileTexts(t *testing.T) {
	for name, text := range map[string]string{
		"lines": strings.Repeat("a\r\nb\u2028c\u2029", 4000), "control": strings.Repeat("\x00\x1b[31m\u0085", 4000), "not UTF-8": strings.Repeat("\xff\xfe", 8000),
		"quotes": strings.Repeat(`"\`, 8000), "markup": strings.Repeat("<script>", 8000), "wide": strings.Repeat("💥", 8000),
	} {
		line, err := document.Line(document.Of(hostile(text))[0])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(line) > document.MostBytes || !utf8.Valid(line) || !json.Valid(line) {
			t.Errorf("%s: a line of %d bytes; want valid JSON of at most %d", name, len(line), document.MostBytes)
		}
		for _, r := range string(line) {
			if r < ' ' || r == '\u2028' || r == '\u2029' || r == '\u0085' {
				t.Errorf("%s: the line holds %U", name, r)
				break
			}
		}
	}
}

func hostile(text string) notify.Notification {
	n := notifytest.Opened()
	n.Rule, n.Type, n.Severity, n.Title, n.Text, n.URL, n.Key = text, text, text, text, text, text, text
	f := &n.Findings[0]
	f.Vulnerability, f.Summary, f.Severity, f.Ecosystem, f.Package, f.Because = text, text, text, text, text, text
	f.Node = notify.Node{ID: text, Kind: text, Name: text, Labels: map[string]string{}}
	for i := range 100 {
		n.Facts = append(n.Facts, notify.Fact{Name: text, Value: text})
		f.Fixed = append(f.Fixed, text)
		f.Node.Labels[text+strconv.Itoa(i)] = text
	}
	return n
}

func TestListsSayWhatTheyLeaveOut(t *testing.T) {
	d := document.Of(hostile("x"))[0]
	if last := d.Fixed[len(d.Fixed)-1]; len(d.Fixed) != 21 || last != "… and 81 more" {
		t.Errorf("%d fixed, the last %q", len(d.Fixed), last)
	}
}

func TestDataIsWholeOrAbsent(t *testing.T) {
	n := notifytest.Told()
	for text, want := range map[string]string{`{"a":1}`: `{"a":1}`, `{"a":`: "", "": "", `"` + strings.Repeat("x", 5000) + `"`: ""} {
		n.Data = json.RawMessage(text)
		if got := document.Of(n)[0].Data; got != want {
			t.Errorf("data %.20q becomes %q", text, got)
		}
	}
}

func TestTimesThatJSONCannotSay(t *testing.T) {
	n := notifytest.Told()
	n.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := document.Line(document.Of(n)[0]); err == nil {
		t.Error("the year 10000 is written; RFC 3339 has four digits")
	}
}

func TestBatches(t *testing.T) {
	lines := func(sizes ...int) (made [][]byte) {
		for _, size := range sizes {
			made = append(made, []byte(strings.Repeat("x", size)))
		}
		return made
	}
	for _, c := range []struct {
		sizes []int
		want  []int // lines of each batch
	}{
		{nil, nil},
		{[]int{9}, []int{1}},
		{[]int{4, 4}, []int{2}},
		{[]int{4, 5}, []int{1, 1}},
		{[]int{20}, []int{1}},
		{[]int{1, 20, 1, 1}, []int{1, 1, 2}},
	} {
		var got []int
		for _, batch := range document.Batches(lines(c.sizes...), 10) {
			got = append(got, len(batch))
		}
		if len(got) != len(c.want) {
			t.Errorf("%v: batches of %v lines; want %v", c.sizes, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%v: batches of %v lines; want %v", c.sizes, got, c.want)
			}
		}
	}
	if got := string(document.Join(lines(1, 2))); got != "x\nxx\n" {
		t.Errorf("joined %q", got)
	}
}
