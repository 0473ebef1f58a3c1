package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"patrol/internal/notify"
)

// answers are what became of the documents of one request, in their order.
type answers struct {
	Items []map[string]item `json:"items"`
}

type item struct {
	Status int     `json:"status"`
	Error  problem `json:"error"`
	// FailureStore is "used" where Elasticsearch put a document aside that does not fit
	// the mapping of a data stream, which it tells as 201 ("Failure store").
	FailureStore string `json:"failure_store"`
}

// stored tells whether the document is where it was sent.
func (it item) stored() bool {
	return it.FailureStore != "used" && (it.Status/100 == 2 || it.Status == http.StatusConflict)
}

// misfit tells of answers that say that the mapping of the index has no room for this
// document. It is refused each time that it is sent.
func (it item) misfit() bool {
	switch it.Error.Type {
	case "document_parsing_exception", "mapper_parsing_exception", "strict_dynamic_mapping_exception":
		return true
	}
	return it.FailureStore == "used"
}

func (it item) String() string {
	if it.FailureStore == "used" {
		return fmt.Sprintf("%d, but into the failure store of the data stream", it.Status)
	}
	return fmt.Sprintf("%d %s", it.Status, brief(it.Error.String()))
}

// problem is an error as both servers tell it, of a document or of the request.
type problem struct {
	Type     string `json:"type"`
	Reason   string `json:"reason"`
	CausedBy *struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"caused_by"`
}

func (p problem) String() string {
	text := p.Type + ": " + p.Reason
	if p.CausedBy != nil && p.CausedBy.Reason != "" {
		text += " (" + p.CausedBy.Reason + ")"
	}
	return text
}

// judge tells whether all of the documents are stored.
func (a answers) judge(sent int) error {
	if len(a.Items) != sent {
		return &notify.Failure{Said: fmt.Sprintf("200 OK, but answered for %d of %d documents", len(a.Items), sent)}
	}
	var failed []item
	rejected := true
	for _, operation := range a.Items {
		it := operation["create"]
		if it.stored() {
			continue
		}
		failed = append(failed, it)
		rejected = rejected && it.misfit()
	}
	if len(failed) == 0 {
		return nil
	}
	return &notify.Failure{
		Said:     fmt.Sprintf("200 OK, but %d of %d documents failed, the first with %s", len(failed), sent, failed[0]),
		Rejected: rejected,
	}
}

// refusal shows why a whole request was refused. A 400 is of the index or its name,
// such as one that is closed, and can be mended there: the request itself is always
// of the same form.
func refusal(answer []byte, err error) error {
	var f *notify.Failure
	if !errors.As(err, &f) {
		return err
	}
	status, _, _ := strings.Cut(f.Said, ": ")
	var said struct {
		Error problem `json:"error"`
	}
	if json.Unmarshal(answer, &said) == nil && said.Error.Type != "" {
		f.Said = status + ": " + brief(said.Error.String())
	}
	f.Rejected = strings.HasPrefix(status, strconv.Itoa(http.StatusRequestEntityTooLarge))
	return f
}

// brief is a reason in one line; some quote the whole document.
func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 500 {
		return string(runes[:500]) + "…"
	}
	return text
}
