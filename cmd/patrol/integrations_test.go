package main_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"patrol/internal/notify"
)

// TestPagesOfIntegrations adds what each page of docs/integrations adds, but for names,
// which must be different here.
func TestPagesOfIntegrations(t *testing.T) {
	dir := t.TempDir()
	_, c := console(t, filepath.Join(dir, "console"), filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	a := asker{t, c}
	path := "PATH=" + filepath.Dir(binary(t)) + string(os.PathListSeparator) + os.Getenv("PATH")
	env := []string{path, "PATROL_CONSOLE=" + c.Console.String(), "PATROL_TOKEN=" + c.Token}
	add := regexp.MustCompile(`(?m)^patrol integrations add (\w+) (?:.*\\\n)*.*$`)
	for _, kind := range decode[[]notify.KindInfo](t, a.patrol("integrations", "kinds", "-o", "json")) {
		text, err := os.ReadFile("../../docs/integrations/" + kind.Name + ".md")
		if err != nil {
			t.Error(err)
			continue
		}
		found := add.FindAllString(string(text), -1)
		if len(found) == 0 {
			t.Errorf("the page of %s adds none", kind.Name)
		}
		place := t.TempDir()
		for name, content := range values(t, kind.Name) {
			if err := os.WriteFile(filepath.Join(place, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range found {
			command(t, place, env, "bash", "-euc", strings.Replace(line, "--name ", "--name "+kind.Name+"-", 1))
		}
	}
}

// values are what the files hold that the page of a kind names.
func values(t *testing.T, kind string) map[string]string {
	authority := certificate(t)
	switch kind {
	case "slack":
		return map[string]string{"webhook.txt": "https://hooks.slack.com/services/T0/B0/x", "token.txt": "xoxb-17-secret"}
	case "teams":
		return map[string]string{"workflow.txt": "https://example.logic.azure.com/workflows/x?sig=y"}
	case "pagerduty":
		return map[string]string{"key.txt": strings.Repeat("a1", 16)}
	case "jira":
		return map[string]string{"token.txt": "secret", "fields.json": `{"labels": ["security"]}`}
	case "http":
		return map[string]string{"url.txt": "https://hooks.example.com/patrol", "secret.txt": signingSecret}
	case "email":
		return map[string]string{"password.txt": "secret"}
	case "splunk":
		return map[string]string{"TOKENFILE": "5f1c0f9a-2a9c-4b5e-8d7a-0b1c2d3e4f5a", "cacert.pem": authority}
	case "elasticsearch":
		return map[string]string{"KEYFILE": "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==", "http_ca.crt": authority}
	case "opensearch":
		return map[string]string{"PASSWORDFILE": "secret", "root-ca.pem": authority}
	case "sumologic":
		return map[string]string{"URLFILE": "https://endpoint1.collection.eu.sumologic.com/receiver/v1/http/secret=="}
	case "s3", "securityhub":
		return map[string]string{"secret.txt": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	case "syslog":
		return map[string]string{"ca.pem": authority}
	case "chronicle":
		return map[string]string{"ingestion-authentication-file.json": account(t)}
	case "shoutrrr":
		return map[string]string{"service-url.txt": "ntfy://ntfy.sh/topic"}
	}
	t.Fatalf("there are no values for the page of %s", kind)
	return nil
}

// certificate is that of a test's server, as PEM.
func certificate(t *testing.T) string {
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// account is the key file of a service account of Google's.
func account(t *testing.T) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "patrol@example.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
		"private_key_id": "1", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
