package notify_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
	"patrol/internal/platform/secret"
)

const signing = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDdGVzdHRlc3Q="

func TestIntegrationRefused(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for name, c := range map[string]struct {
			n     notify.NewIntegration
			field string
		}{
			"no name":       {notify.NewIntegration{Name: " ", Kind: "chat", Settings: notify.Settings{"place": "x"}}, "name"},
			"no such kind":  {notify.NewIntegration{Name: "x", Kind: "pigeon"}, "kind"},
			"needed":        {notify.NewIntegration{Name: "x", Kind: "chat", Settings: notify.Settings{"place": " \n"}}, "settings.place"},
			"no such field": {notify.NewIntegration{Name: "x", Kind: "chat", Settings: notify.Settings{"place": "x", "plaec": "y"}}, "settings.plaec"},
			"by the kind":   {notify.NewIntegration{Name: "x", Kind: "chat", Settings: notify.Settings{"place": "a b"}}, "settings.place"},
			"no choice":     {notify.NewIntegration{Name: "x", Kind: "http", Settings: notify.Settings{"url": "https://example.com", "method": "GET"}}, "settings.method"},
			"no URL":        {notify.NewIntegration{Name: "x", Kind: "http", Settings: notify.Settings{"url": "ftp://example.com"}}, "settings.url"},
			"a password":    {notify.NewIntegration{Name: "x", Kind: "http", Settings: notify.Settings{"url": "https://u:p@example.com"}}, "settings.url"},
		} {
			_, err := h.CreateIntegration(t.Context(), c.n)
			if p := wantProblem(t, err, 422, c.field); strings.Contains(p.Detail, "u:p") {
				t.Errorf("%s: %s", name, p.Detail)
			}
		}
		id := h.integration("chat", "talk")
		_, err := h.CreateIntegration(t.Context(), notify.NewIntegration{Name: "talk", Kind: "chat", Settings: notify.Settings{"place": "x"}})
		wantProblem(t, err, 409, "")
		h.integration("chat", "other")
		_, err = h.EditIntegration(t.Context(), id, notify.IntegrationChange{Name: pointer("other")})
		wantProblem(t, err, 409, "")
		_, err = h.EditIntegration(t.Context(), id, notify.IntegrationChange{Settings: notify.Settings{"place": ""}})
		wantProblem(t, err, 422, "settings.place")
		_, err = h.EditIntegration(t.Context(), "nobody", notify.IntegrationChange{})
		wantProblem(t, err, 404, "")
		wantProblem(t, h.DeleteIntegration(t.Context(), "nobody"), 404, "")
		page, err := h.Integrations(t.Context(), rest.Paging{Limit: 1})
		if err != nil || len(page.Items) != 1 || page.Items[0].Name != "other" || page.Next == "" {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// Secrets go in and do not come out: not of the API, nor the audit log, the events, the
// log of deliveries, the database.
func TestSecretsStayIn(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		far := notifytest.NewFar(t, notifytest.Says(http.StatusInternalServerError, "no Bearer s3cr3t-header at /in/s3cr3t-of-the-path-17 with "+signing))
		hidden := notify.Settings{"url": far.URL + "/in/s3cr3t-of-the-path-17?k=s3cr3tquery", "signing_secret": signing + "\n", "headers": "Authorization: Bearer s3cr3t-header\nX-Other: s3cr3t-other\n"}
		all := notify.Settings{"ca": far.CA}
		for name, value := range hidden {
			all[name] = value
		}
		id := h.add(notify.NewIntegration{Name: "hook", Kind: "http", Settings: all})
		i := h.getIntegration(id)
		if want := []string{"headers", "signing_secret", "url"}; !reflect.DeepEqual(i.Secrets, want) || len(i.Settings) != 1 {
			t.Errorf("secrets %q, settings %v", i.Secrets, i.Settings)
		}
		h.rule(of([]string{"schedule.missed", "integration.failing"}, id))
		h.missed("a", "b", "c", "d", "e")
		h.send()
		far.Answer(nil) // it breaks the connection
		h.clock.Advance(notify.GivenUpAfter / 100)
		h.send()
		h.read()
		trial, err := h.Test(t.Context(), id)
		if err != nil || trial.OK || trial.Error == "" || trial.Request == "" {
			t.Errorf("%+v, %v", trial, err)
		}
		texts := []string{trial.Error, trial.Request, trial.Response}
		for _, query := range []string{
			`SELECT settings || secrets || failing_because FROM integration`, `SELECT error FROM delivery`, `SELECT error || request || response FROM attempt`,
			`SELECT data FROM event`, `SELECT title || content FROM notification`, `SELECT COALESCE(before_state, '') || COALESCE(after_state, '') FROM audit`,
		} {
			rows, err := h.db.Read().QueryContext(t.Context(), query)
			found, err := db.All(rows, err, db.Value[*string])
			if err != nil || len(found) == 0 {
				t.Fatal(query, found, err)
			}
			for _, text := range found {
				if text != nil {
					texts = append(texts, *text)
				}
			}
		}
		for _, text := range texts {
			for _, bad := range []string{"s3cr3t", signing[6:]} {
				if strings.Contains(text, bad) {
					t.Errorf("%q is in %.500q", bad, text)
				}
			}
		}
		if i := h.getIntegration(id); !strings.Contains(i.FailingBecause, "closed the connection") {
			t.Errorf("failing because %q", i.FailingBecause)
		}
	})
}

// A secret goes where it was given for; to have it go elsewhere, one must know it.
func TestSecretsAreBoundToTheirPlace(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.add(notify.NewIntegration{Name: "talk", Kind: "chat", Settings: notify.Settings{"place": "talk", "token": "token-17\n", "headers": "A: alpha-18"}})
		edit := func(s notify.Settings) error {
			_, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Settings: s})
			return err
		}
		if err := edit(notify.Settings{"place": "hall"}); err != nil {
			t.Error(err)
		}
		var p interface{ Error() string }
		if err := edit(notify.Settings{"host": "evil.example"}); !errors.As(err, &p) || !strings.Contains(p.Error(), "is needed again, since host changes") {
			t.Errorf("moved: %v", err)
		}
		wantProblem(t, edit(notify.Settings{"host": "evil.example", "token": "x"}), 422, "settings.headers")
		if err := edit(notify.Settings{"host": "other.example", "token": "token-19", "headers": ""}); err != nil {
			t.Error(err)
		}
		if i := h.getIntegration(id); i.Settings["host"] != "other.example" || !reflect.DeepEqual(i.Secrets, []string{"token"}) {
			t.Errorf("%+v", i)
		}
		if err := edit(notify.Settings{"host": "other.example"}); err != nil {
			t.Errorf("the same place: %v", err)
		}

		hook := h.add(notify.NewIntegration{Name: "hook", Kind: "http", Settings: notify.Settings{"url": "https://example.com/a", "signing_secret": signing}})
		change := func(url string) error {
			_, err := h.EditIntegration(t.Context(), hook, notify.IntegrationChange{Settings: notify.Settings{"url": url}})
			return err
		}
		wantProblem(t, change("https://evil.example/"), 422, "settings.signing_secret")
		if err := change("https://example.com/a"); err != nil {
			t.Errorf("the same address: %v", err)
		}
	})
}

// A sealed text that is moved to another row opens nothing there.
func TestSealedTextIsOfItsRow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		one := h.add(notify.NewIntegration{Name: "one", Kind: "chat", Settings: notify.Settings{"place": "one", "token": "token-17"}})
		two := h.add(notify.NewIntegration{Name: "two", Kind: "chat", Settings: notify.Settings{"place": "two", "token": "token-18"}})
		h.execute(`UPDATE integration SET secrets = (SELECT secrets FROM integration WHERE id = $1) WHERE id = $2`, one, two)
		_, err := h.Test(t.Context(), two)
		if p := wantProblem(t, err, 409, ""); !strings.Contains(p.Detail, "those of another") {
			t.Error(p.Detail)
		}
	})
}

// Whatever stops on the way of changing the key, all secrets can be read, and the same
// step finishes it.
func TestRotateKey(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		var ids []string
		for _, name := range []string{"one", "two", "three"} {
			ids = append(ids, h.add(notify.NewIntegration{Name: name, Kind: "chat", Settings: notify.Settings{"place": name, "token": "token of " + name}}))
		}
		ids = append(ids, h.integration("chat", "bare"))
		readable := func(when string, h house) {
			t.Helper()
			for _, id := range ids {
				if trial, err := h.Test(t.Context(), id); err != nil || !trial.OK {
					t.Errorf("%s: %+v, %v", when, trial, err)
				}
			}
		}
		reopened := func() house {
			t.Helper()
			keeper, err := secret.Open(h.keyFile, "")
			if err != nil {
				t.Fatal(err)
			}
			again := h
			again.options.Keeper = keeper
			return again.another()
		}
		// Killed after the key was made; and after one row was sealed anew.
		if err := h.options.Keeper.Rotate(); err != nil {
			t.Fatal(err)
		}
		h = reopened()
		readable("with two keys", h)
		if _, err := h.EditIntegration(t.Context(), ids[0], notify.IntegrationChange{Settings: notify.Settings{"token": "another token"}}); err != nil {
			t.Fatal(err)
		}
		h = reopened()
		readable("half way", h)
		n, err := h.RotateKey(t.Context())
		if err != nil || n != 3 {
			t.Errorf("sealed %d, %v", n, err)
		}
		readable("at the end", h)
		readable("after a restart", reopened())
		for _, id := range ids {
			if h.options.Keeper.Stale(dbText(h, `SELECT CASE secrets WHEN '' THEN $2 ELSE secrets END FROM integration WHERE id = $1`, id, present(t, h))) {
				t.Errorf("%s is sealed by an old key", id)
			}
		}
		// One that cannot be read stops it, and nothing is lost by that.
		h.execute(`UPDATE integration SET secrets = 'nokey:AAAA' WHERE id = $1`, ids[1])
		_, err = h.RotateKey(t.Context())
		wantProblem(t, err, 409, "")
		ids = []string{ids[0], ids[2], ids[3]}
		readable("beside one that cannot be read", reopened())
	})
}

// present is a text that the present key seals.
func present(t *testing.T, h house) string {
	t.Helper()
	text, err := h.options.Keeper.Seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func dbText(h house, query string, args ...any) (text string) {
	h.t.Helper()
	if err := h.db.Read().QueryRowContext(h.t.Context(), query, args...).Scan(&text); err != nil {
		h.t.Fatal(err)
	}
	return text
}

// A test is no delivery: it says what the far side said, and changes nothing.
func TestTrial(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		far := notifytest.NewFar(t, notifytest.Says(http.StatusOK, "welcome"))
		settings := notify.Settings{"url": far.URL + "/in", "ca": far.CA}
		trial, err := h.TestSettings(t.Context(), notify.NewIntegration{Kind: "http", Settings: settings})
		if err != nil || !trial.OK || !strings.Contains(trial.Request, "Test of Patrol") || !strings.Contains(trial.Response, "welcome") || trial.Error != "" {
			t.Errorf("%+v, %v", trial, err)
		}
		id := h.add(notify.NewIntegration{Name: "hook", Kind: "http", Settings: settings})
		far.Answer(notifytest.Says(http.StatusForbidden, "who are you?"))
		trial, err = h.Test(t.Context(), id)
		if err != nil || trial.OK || trial.Error != "the far side said 403 Forbidden: who are you?" {
			t.Errorf("%+v, %v", trial, err)
		}
		if i := h.getIntegration(id); i.State != notify.Untried || h.count(`SELECT count(*) FROM delivery`) != 0 {
			t.Errorf("changed to %+v", i)
		}
		_, err = h.TestSettings(t.Context(), notify.NewIntegration{Kind: "http", Settings: notify.Settings{"url": "x"}})
		wantProblem(t, err, 422, "settings.url")
		_, err = h.Test(t.Context(), "nobody")
		wantProblem(t, err, 404, "")
		for _, k := range h.Kinds() {
			if k.Name == "" || len(k.Fields) == 0 {
				t.Errorf("%+v", k)
			}
		}
	})
}

// What is disabled is told nothing, not even later.
func TestDisabledIntegration(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		enable := func(is bool) {
			t.Helper()
			if i, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Enabled: &is}); err != nil || (i.State == notify.Disabled) == is {
				t.Fatalf("%+v, %v", i, err)
			}
		}
		h.missed("before")
		enable(false)
		h.missed("meanwhile")
		h.wantTold("while it is disabled")
		enable(true)
		h.wantTold("of what was told before", "talk told medium A schedule missed fire times")
	})
}

// What is set while the key changes is not sealed by a key that is forgotten.
func TestRotateKeyWhileSecretsAreSet(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ids := make([]string, 5)
		for n := range ids {
			ids[n] = h.add(notify.NewIntegration{Name: fmt.Sprint("chat ", n), Kind: "chat", Settings: notify.Settings{"place": fmt.Sprint(n), "token": "token-17"}})
		}
		var all sync.WaitGroup
		for _, id := range ids {
			all.Go(func() {
				for range 5 {
					if _, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Settings: notify.Settings{"token": "token-18"}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() {
			for range 5 {
				if _, err := h.RotateKey(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		all.Wait()
		for _, id := range ids {
			if trial, err := h.Test(t.Context(), id); err != nil || !trial.OK {
				t.Errorf("%+v, %v", trial, err)
			}
		}
	})
}
