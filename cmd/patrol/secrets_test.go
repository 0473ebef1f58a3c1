package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/notify"
	"patrol/internal/operations"
	"patrol/internal/platform/db/dbtest"
)

// A backup does not hold the key of secrets: with a copy of it a restored console goes
// on, without it the console says what is wrong.
func TestBackupIsWithoutTheKeyOfSecrets(t *testing.T) {
	far, dir := receive(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	nowhere := at("nowhere")
	p, c := console(t, at("console"), nowhere, "127.0.0.1:0", "--outgoing-allow", "127.0.0.0/8")
	a := asker{t, c}
	a.patrol("integrations", "add", "http", "--name", "hook", "--set-file", "url="+file(t, far.URL))
	a.patrol("rules", "add", "--ready", "Heartbeat", "--digest", "* * * * * *", "--to", "hook")
	eventually(t, "a heartbeat", func() bool { return far.has("Patrol is alive") })
	out, errs, code := run(t, "backup", "--data-dir", at("console"), at("backup"))
	if code != 0 || !strings.Contains(errs, "is not in it") || !strings.Contains(errs, at("console/secrets.key")) {
		t.Errorf("backup: exit %d, %s%s", code, out, errs)
	}
	p.kill(t)
	key, err := os.ReadFile(at("console/secrets.key"))
	if err != nil {
		t.Fatal(err)
	}

	if err := os.Mkdir(at("with"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("with/secrets.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := run(t, "restore", "--data-dir", at("with"), at("backup")); code != 0 || errs != "" {
		t.Errorf("restore beside the key: exit %d, %s%s", code, out, errs)
	}
	if kept, err := os.ReadFile(at("with/secrets.key")); err != nil || string(kept) != string(key) {
		t.Errorf("the key was not kept: %v", err)
	}
	if out, _, _ := run(t, "doctor", "--data-dir", at("with"), "--feed-url", nowhere); !strings.Contains(out, "OK       secrets:") {
		t.Errorf("the doctor says\n%s", out)
	}

	if out, errs, code := run(t, "restore", "--data-dir", at("without"), at("backup")); code != 0 || !strings.Contains(errs, "lay its copy at "+at("without/secrets.key")) {
		t.Errorf("restore without the key: exit %d, %s%s", code, out, errs)
	}
	if out, _, code := run(t, "doctor", "--data-dir", at("without"), "--feed-url", nowhere); code != 1 || !strings.Contains(out, "BROKEN   secrets: nothing is sent to 1 integrations") || !strings.Contains(out, "there is no "+at("without/secrets.key")) {
		t.Errorf("the doctor says\n%s", out)
	}
	if _, err := os.Stat(at("without/secrets.key")); err == nil {
		t.Error("the doctor made a key")
	}
	p, c = console(t, at("without"), nowhere, "127.0.0.1:0", "--outgoing-allow", "127.0.0.0/8")
	a = asker{t, c}
	eventually(t, "that it fails", func() bool {
		i := decode[notify.Integration](t, a.patrol("integrations", "get", "hook", "-o", "json"))
		return i.State == notify.Failing && strings.Contains(i.FailingBecause, "no key of this console opens the secret")
	})
	d := decode[operations.Diagnosis](t, first(a.ask("doctor", "-o", "json")))
	if !d.Broken() {
		t.Errorf("the doctor says %+v", d)
	}
	p.kill(t)
	before := far.count()
	if err := os.WriteFile(at("without/secrets.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, c = console(t, at("without"), nowhere, "127.0.0.1:0", "--outgoing-allow", "127.0.0.0/8")
	asker{t, c}.patrol("integrations", "edit", "hook", "--per-minute", "600") // which is tried at once then
	eventually(t, "what waited", func() bool { return far.count() > before })
	if says := p.stderr.String(); strings.Count(says, "secrets of integrations cannot be opened") != 1 || !strings.Contains(says, "PATROL_SECRETS_KEY") {
		t.Errorf("the console logs\n%s", says)
	}
}

func first(out, _ string, _ int) string { return out }

// Keys that the configuration gives: a new one is made, put first, and seals all.
func TestKeysOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	fresh := func() string {
		out, errs, code := run(t, "secrets", "new-key")
		if lines := strings.Split(out, "\n"); code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[0], "# public key: age1") || !strings.HasPrefix(lines[1], "AGE-SECRET-KEY-1") {
			t.Fatalf("exit %d, %s%s", code, out, errs)
		}
		return out
	}
	older, newer := fresh(), fresh()
	if older == newer {
		t.Fatal("one key comes twice")
	}
	begin := func(key string) (*process, asker) {
		t.Setenv("PATROL_SECRETS_KEY", key)
		p, c := console(t, filepath.Join(dir, "console"), filepath.Join(dir, "nowhere"), "127.0.0.1:0")
		return p, asker{t, c}
	}
	p, a := begin(older)
	a.patrol("integrations", "add", "http", "--name", "hook", "--set", "url=https://hooks.example.com")
	p.kill(t)
	p, a = begin(newer + older)
	if out := a.patrol("secrets", "rotate"); !strings.Contains(out, "secrets of 1 integrations") {
		t.Errorf("rotate says %s", out)
	}
	p.kill(t)
	p, a = begin(newer)
	if out, _, _ := a.ask("doctor"); !strings.Contains(out, "OK       secrets:") {
		t.Errorf("the doctor says\n%s", out)
	}
	p.kill(t)
	if says := p.stderr.String(); strings.Contains(says, "cannot be opened") {
		t.Errorf("the console logs\n%s", says)
	}
	if _, err := os.Stat(filepath.Join(dir, "console", "secrets.key")); err == nil {
		t.Error("there is a key file beside the keys of the configuration")
	}
	if out, _, code := run(t, "doctor", "--data-dir", filepath.Join(dir, "console"), "--feed-url", filepath.Join(dir, "nowhere")); code != 1 || !strings.Contains(out, "OK       secrets:") {
		t.Errorf("the doctor, without a console, says\n%s", out)
	}
	t.Setenv("PATROL_SECRETS_KEY", older)
	if out, _, _ := run(t, "doctor", "--data-dir", filepath.Join(dir, "console"), "--feed-url", filepath.Join(dir, "nowhere")); !strings.Contains(out, "BROKEN   secrets:") {
		t.Errorf("the doctor, with the old key, says\n%s", out)
	}
}

// Consoles that share a database, and were not given one key, say so at their start.
func TestConsolesWithKeysOfTheirOwn(t *testing.T) {
	url, dir := dbtest.PostgresURL(t), t.TempDir()
	begin := func(name string) (*process, asker) {
		p, c := console(t, filepath.Join(dir, name), filepath.Join(dir, "nowhere"), "127.0.0.1:0", "--database-url", url, "--blob-url", "file://"+filepath.Join(dir, "blobs"))
		return p, asker{t, c}
	}
	first, a := begin("first")
	a.patrol("integrations", "add", "http", "--name", "hook", "--set", "url=https://hooks.example.com")
	second, b := begin("second")
	if out, _, code := b.ask("doctor"); code != 1 || !strings.Contains(out, "BROKEN   secrets:") || !strings.Contains(out, "hook: ") || !strings.Contains(out, "the same for all consoles") {
		t.Errorf("the doctor of the second says\n%s", out)
	}
	if out, _, _ := a.ask("doctor"); !strings.Contains(out, "OK       secrets:") {
		t.Errorf("the doctor of the first says\n%s", out)
	}
	b.refused("no key of this console opens the secret", "integrations", "test", "hook")
	first.kill(t)
	second.kill(t)
	const warning = "secrets of integrations cannot be opened"
	if strings.Contains(first.stderr.String(), warning) || strings.Count(second.stderr.String(), warning) != 1 {
		t.Errorf("the first logs\n%s\nthe second\n%s", first.stderr, second.stderr)
	}
}
