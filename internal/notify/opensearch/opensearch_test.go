package opensearch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"

	"patrol/internal/notify"
	"patrol/internal/notify/bulk/bulktest"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/opensearch"
)

func TestOpenSearch(t *testing.T) {
	bulktest.Run(t, bulktest.Dialect{
		Kind: opensearch.Kind(), Credentials: notify.Settings{"user": "patrol", "password": "secret"}, Authorization: "Basic cGF0cm9sOnNlY3JldA==",
		Action: action, Answer: answer,
	})
}

// action reads a line by a type of its own: the OpenSearch project publishes Go types
// for the answer only ("Bulk", section "Request body", of its documentation).
func action(line []byte) (string, error) {
	var operation struct {
		Create *struct {
			ID string `json:"_id"`
		} `json:"create"`
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&operation); err != nil {
		return "", err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || operation.Create == nil {
		return "", errors.New("is no create and nothing else")
	}
	return operation.Create.ID, nil
}

func answer(outcomes []bulktest.Outcome) any {
	var response opensearchapi.BulkResp
	for _, o := range outcomes {
		item := opensearchapi.BulkRespItem{ID: o.ID, Index: "patrol-findings", Status: o.Status}
		if o.Type != "" {
			// The type of the error has no name of its own; it is made by decoding.
			told, err := json.Marshal(map[string]any{"error": map[string]string{"type": o.Type, "reason": o.Reason}})
			if err == nil {
				err = json.Unmarshal(told, &item)
			}
			if err != nil {
				return err
			}
			response.Errors = true
		}
		response.Items = append(response.Items, map[string]opensearchapi.BulkRespItem{"create": item})
	}
	return response
}

func TestWithoutSecurityPlugin(t *testing.T) {
	notifytest.Open(t, opensearch.Kind(), notify.Settings{"url": "http://search.example.com:9200"})
}
