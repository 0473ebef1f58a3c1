package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestUpdateFromURL(t *testing.T) {
	mirror := httptest.NewServer(http.StripPrefix("/osv", http.FileServer(http.Dir(func() string {
		dir := feedOf(t, map[string][]byte{
			"Go":          zipOf(t, goRecord),
			"Rocky Linux": zipOf(t, `{"id":"RLSA-1","modified":"2024-01-01T00:00:00Z"}`),
			"Debian":      zipOf(t, debianRecord),
		})
		writeFile(t, dir, "ecosystems.txt", "Debian\nDebian:12\nGo\r\n[EMPTY]\n../up\nRocky Linux\n")
		return dir
	}()))))
	defer mirror.Close()
	s := openStore(t)
	all := mustUpdate(t, s, Options{URL: mirror.URL + "/osv"})
	if all.Records != 3 || len(all.Sources) != 3 || all.Sources[2].URL != mirror.URL+"/osv/Rocky%20Linux/all.zip" {
		t.Errorf("all: %+v", all)
	}
	named := mustUpdate(t, s, Options{URL: mirror.URL + "/osv/", Ecosystems: []string{"Go"}})
	if named.Records != 1 || len(named.Dropped) != 2 {
		t.Errorf("named: %+v", named)
	}
	ecosystems, err := Ecosystems(t.Context(), Options{URL: mirror.URL + "/osv"})
	if want := []string{"Debian", "Go", "Rocky Linux"}; err != nil || !slices.Equal(ecosystems, want) {
		t.Errorf("ecosystems %q, %v", ecosystems, err)
	}
}

func TestUpdateFromBadURL(t *testing.T) {
	good := zipOf(t, goRecord)
	hanging := make(chan struct{}, 1)
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		says  []string
	}{
		"not there": {http.NotFound, []string{"404 Not Found"}},
		"failing":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, []string{"502"}},
		"truncated body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(good)))
			w.Write(good[:len(good)/2])
		}, []string{"unexpected EOF", fmt.Sprintf("after %d bytes", len(good)/2)}},
		"truncated file": {func(w http.ResponseWriter, _ *http.Request) { w.Write(good[:len(good)/2]) }, []string{"truncated"}},
		"hanging": {func(w http.ResponseWriter, r *http.Request) {
			w.Write(good[:10])
			w.(http.Flusher).Flush()
			hanging <- struct{}{}
			<-r.Context().Done()
		}, []string{"context canceled"}},
	} {
		t.Run(name, func(t *testing.T) {
			mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, ".csv") {
					http.NotFound(w, r)
					return
				}
				test.serve(w, r)
			}))
			defer mirror.Close()
			s := openStore(t)
			before := mustUpdate(t, s, Options{URL: feedOf(t, map[string][]byte{"Go": good})})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				select {
				case <-hanging:
					cancel()
				case <-ctx.Done():
				}
			}()
			_, err := s.Update(ctx, Options{URL: mirror.URL, Ecosystems: []string{"Go"}})
			wantError(t, err, append(test.says, mirror.URL+"/Go/all.zip", "revision "+before.Revision+" stays")...)
			if got := mustCurrent(t, s).ID(); got != before.Revision {
				t.Errorf("installed is %s", got)
			}
			status, err := s.Status(t.Context())
			if err != nil || status.LastAttempt.Error == "" || status.LastAttempt.URL != mirror.URL {
				t.Errorf("status %+v, %v", status, err)
			}
		})
	}
}

func TestUpdateFromUnreachableURL(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := openStore(t)
	address := strings.Replace(gone.URL, "http://", "http://user:secret@", 1)
	_, err := s.Update(t.Context(), Options{URL: address})
	wantError(t, err, "/ecosystems.txt", "refused", "only the built-in sample")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password shows: %v", err)
	}
	if last, err := s.readState(); err != nil || !strings.Contains(last.LastAttempt.Error, "refused") || !last.LastSuccess.IsZero() {
		t.Errorf("state %+v, %v", last, err)
	}
}

func TestGetGivesUp(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("some"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer silent.Close()
	u, err := url.Parse(silent.URL)
	if err != nil {
		t.Fatal(err)
	}
	site := newWebsite(u, nil)
	site.stall = 10 * time.Millisecond
	var got strings.Builder
	wantError(t, site.get(t.Context(), u, &got, 100), silent.URL, "no data for 10ms")
	if errors.Is(t.Context().Err(), context.Canceled) {
		t.Error("the caller's context ended")
	}

	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 1000))
	}))
	defer endless.Close()
	if u, err = url.Parse(endless.URL); err != nil {
		t.Fatal(err)
	}
	wantError(t, newWebsite(u, nil).get(t.Context(), u, &got, 999), "more than 999 bytes")
}
