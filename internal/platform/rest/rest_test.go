package rest_test

import (
	"context"
	"database/sql/driver"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
)

type labels struct {
	Name  string            `json:"name"`
	Set   map[string]string `json:"set,omitempty"`
	Nodes []string          `json:"nodes,omitempty"`
	Team  *string           `json:"team,omitempty"`
}

type input struct {
	rest.ID
	rest.Paging
	Query string `query:"q"`
	Body  labels
}

// serve answers with what a handler returns.
func serve(t *testing.T, handle func(in *input) error) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	api := rest.New(mux, "test")
	rest.Handle(api, access.Public, huma.Operation{OperationID: "test", Method: http.MethodPost, Path: "/api/v1/things/{id}"},
		func(_ context.Context, in *input) (*struct{}, error) { return nil, handle(in) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func post(t *testing.T, address, body string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Post(address, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var text strings.Builder
	if _, err := fmt.Fprint(&text, resp.Header.Get("Content-Type"), " "); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, _ := resp.Body.Read(buffer)
	text.Write(buffer[:n])
	return resp, text.String()
}

func TestTextThatNoDatabaseHolds(t *testing.T) {
	server := serve(t, func(in *input) error {
		var key struct{ Name string }
		return in.Decode(&key)
	})
	cursor := base64.RawURLEncoding.EncodeToString([]byte(`{"Name":"a\u0000b"}`))
	for field, request := range map[string][2]string{
		"":          {"/x?q=fine", `{"name":"fine \\u0000","set":{"a":"b"},"nodes":["c"]}`},
		"id":        {"/x%00", `{"name":"fine"}`},
		"q":         {"/x?q=%00", `{"name":"fine"}`},
		"cursor":    {"/x?cursor=" + cursor, `{"name":"fine"}`},
		"name":      {"/x", `{"name":"a\u0000b"}`},
		"set":       {"/x", `{"name":"fine","set":{"a":"\u0000"}}`},
		"nodes":     {"/x", `{"name":"fine","nodes":["a","\u0000"]}`},
		"team":      {"/x", `{"name":"fine","team":"\u0000"}`},
		"q ":        {"/x?q=%ff", `{"name":"fine"}`},
		"set (key)": {"/x", `{"name":"fine","set":{"\u0000":"a"}}`},
	} {
		resp, body := post(t, server.URL+"/api/v1/things"+request[0], request[1])
		if field == "" {
			if resp.StatusCode != http.StatusNoContent {
				t.Errorf("%s %s answers %d: %s", request[0], request[1], resp.StatusCode, body)
			}
			continue
		}
		name, _, _ := strings.Cut(field, " ")
		if resp.StatusCode != http.StatusUnprocessableEntity || !strings.HasPrefix(body, "application/problem+json") || !strings.Contains(body, `"body.`+name+`"`) {
			t.Errorf("%s %s answers %d: %s", request[0], request[1], resp.StatusCode, body)
		}
	}
}

// What passes by itself is told to be asked for again, and how soon.
func TestErrorsOfTheDatabase(t *testing.T) {
	var fails error
	server := serve(t, func(*input) error { return fmt.Errorf("list things: %w", fails) })
	for _, c := range []struct {
		err    error
		status int
	}{
		{&pgconn.ConnectError{}, 503},
		{driver.ErrBadConn, 503},
		{&pgconn.PgError{Code: "57P01"}, 503},
		{db.ErrReadOnly, 503},
		{&pgconn.PgError{Code: "22021"}, 422},
		{&pgconn.PgError{Code: "22P05"}, 422},
		{&pgconn.PgError{Code: "42601"}, 500},
	} {
		fails = c.err
		resp, body := post(t, server.URL+"/api/v1/things/x", `{"name":"fine"}`)
		if resp.StatusCode != c.status || (resp.Header.Get("Retry-After") == rest.RetryAfter) != (c.status == 503) || !strings.HasPrefix(body, "application/problem+json") {
			t.Errorf("%v answers %d, Retry-After %q: %s", c.err, resp.StatusCode, resp.Header.Get("Retry-After"), body)
		}
	}
}
