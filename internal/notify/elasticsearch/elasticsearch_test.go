package elasticsearch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/elastic/go-elasticsearch/v9/typedapi/core/bulk"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/failurestorestatus"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/operationtype"

	"patrol/internal/notify"
	"patrol/internal/notify/bulk/bulktest"
	"patrol/internal/notify/elasticsearch"
	"patrol/internal/notify/notifytest"
)

const key = "aWQ6c2VjcmV0" // id:secret

func TestElasticsearch(t *testing.T) {
	bulktest.Run(t, bulktest.Dialect{
		Kind: elasticsearch.Kind(), Credentials: notify.Settings{"api_key": key}, Authorization: "ApiKey " + key,
		Action: action, Answer: answer,
	})
}

func TestUserAndPassword(t *testing.T) {
	bulktest.Run(t, bulktest.Dialect{
		Kind: elasticsearch.Kind(), Credentials: notify.Settings{"user": "patrol", "password": "päss:word"}, Authorization: "Basic cGF0cm9sOnDDpHNzOndvcmQ=",
		Action: action, Answer: answer,
	})
}

// Elastic Cloud's own keys are sent as they are.
func TestCloudKey(t *testing.T) {
	const key = "essu_ZFZSWFpUaEtZMEpHYldWTlVGTTRTVFk2ZDI5eVpBPT0="
	bulktest.Run(t, bulktest.Dialect{
		Kind: elasticsearch.Kind(), Credentials: notify.Settings{"api_key": key}, Authorization: "ApiKey " + key,
		Action: action, Answer: answer,
	})
}

// action reads a line as Elastic's client library would write it. Its types skip
// members they do not know; that what they read is all there is shows in their writing
// the same line again.
func action(line []byte) (string, error) {
	var operation types.OperationContainer
	if err := json.Unmarshal(line, &operation); err != nil {
		return "", err
	}
	again, err := json.Marshal(operation)
	if err != nil {
		return "", err
	}
	if operation.Create == nil || operation.Create.Id_ == nil || !bytes.Equal(again, bytes.TrimSpace(line)) {
		return "", errors.New("is no create with an id and nothing else, which would be " + string(again))
	}
	return *operation.Create.Id_, nil
}

func answer(outcomes []bulktest.Outcome) any {
	response := bulk.NewResponse()
	for _, o := range outcomes {
		item := types.ResponseItem{Id_: &o.ID, Index_: ".ds-logs-patrol.findings-default-2026.08.21-000001", Status: o.Status}
		if o.Type != "" {
			item.Error = &types.ErrorCause{Type: o.Type, Reason: &o.Reason}
			response.Errors = true
		}
		response.Items = append(response.Items, map[operationtype.OperationType]types.ResponseItem{operationtype.Create: item})
	}
	return response
}

func TestCredentials(t *testing.T) {
	url := "https://search.example.com:9200"
	for name, s := range map[string]notify.Settings{
		"none":              {"url": url},
		"both":              {"url": url, "api_key": key, "user": "patrol", "password": "secret"},
		"not encoded":       {"url": url, "api_key": "id:secret"},
		"only half":         {"url": url, "api_key": "c2VjcmV0"},
		"of Cloud, cut off": {"url": url, "api_key": "essu_"},
		"of Cloud, in two":  {"url": url, "api_key": "essu_c2Vj cmV0"},
	} {
		t.Run(name, func(t *testing.T) { notifytest.Refuses(t, elasticsearch.Kind(), s, "api_key") })
	}
}

// TestFailureStore: what a data stream puts aside is told as created, and is not
// where people look for it.
func TestFailureStore(t *testing.T) {
	url, ca := notifytest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		response := answer([]bulktest.Outcome{{ID: "a", Status: 201}, {ID: "b", Status: 201}}).(*bulk.Response)
		item := response.Items[1][operationtype.Create]
		item.FailureStore = &failurestorestatus.Used
		response.Items[1][operationtype.Create] = item
		if err := json.NewEncoder(w).Encode(response); err != nil {
			t.Error(err)
		}
	})
	_, err := notifytest.Open(t, elasticsearch.Kind(), notify.Settings{"url": url, "ca": ca, "api_key": key}).Send(t.Context(), notifytest.Opened())
	f := notifytest.Failure(t, err)
	if want := "200 OK, but 1 of 2 documents failed, the first with 201, but into the failure store of the data stream"; f.Said != want || !f.Rejected {
		t.Errorf("said %q, rejected %t; want %q", f.Said, f.Rejected, want)
	}
}
