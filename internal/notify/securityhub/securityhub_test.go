package securityhub_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/securityhub"
)

// at is the settings for the service at a URL, then names and values in turn.
func at(url string, more ...string) notify.Settings {
	s := notify.Settings{
		"account_id": "111122223333", "region": "eu-central-1", "url": url,
		"access_key_id": keys.AccessKeyID, "secret_access_key": keys.SecretAccessKey,
	}
	for i := 0; i < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	return s
}

func settings(server *httptest.Server, more ...string) notify.Settings {
	return at(server.URL, append([]string{"ca", notifytest.CA(server)}, more...)...)
}

func send(t *testing.T, server *httptest.Server, n notify.Notification) string {
	t.Helper()
	return notifytest.Send(t, notifytest.Open(t, securityhub.Kind(), settings(server)), n)
}

const (
	webID  = "patrol/01990000-0000-7000-8000-000000000001/CVE-2099-0001/Debian/openssl"
	shopID = "patrol/01990000-0000-7000-8000-000000000002/CVE-2099-0001/Debian/openssl"
)

func TestOpened(t *testing.T) {
	h := newHub(t)
	if ref := send(t, h.server, notifytest.Opened()); ref != "" {
		t.Errorf("ref %q of two findings", ref)
	}
	if len(h.findings) != 2 {
		t.Fatalf("%d findings", len(h.findings))
	}
	web, shop := h.findings[webID], h.findings[shopID]
	if *web.ProductArn != "arn:aws:securityhub:eu-central-1:111122223333:product/111122223333/default" || *web.AwsAccountId != "111122223333" {
		t.Errorf("product %s of %s", *web.ProductArn, *web.AwsAccountId)
	}
	if *web.Title != "CVE-2099-0001 in openssl on web-1" || *web.Description != "Heap overflow in openssl <script>" {
		t.Errorf("%s: %s", *web.Title, *web.Description)
	}
	if web.RecordState != types.RecordStateActive || web.Workflow != nil || web.Severity != nil || web.Types != nil {
		t.Errorf("state %s; what belongs to people: %v %v %v", web.RecordState, web.Workflow, web.Severity, web.Types)
	}
	if f := web.FindingProviderFields; f.Severity.Label != types.SeverityLabelCritical || !slices.Equal(f.Types, []string{"Software and Configuration Checks/Vulnerabilities/CVE"}) {
		t.Errorf("fields %+v", f)
	}
	v := web.Vulnerabilities[0]
	if *v.Id != "CVE-2099-0001" || *v.EpssScore != 0.91 || *v.Cvss[0].BaseScore != 9.8 || v.ExploitAvailable != "YES" || v.FixAvailable != "YES" || *v.VulnerablePackages[0].FixedInVersion != "3.0.15-1~deb12u1" {
		t.Errorf("vulnerability %+v", v)
	}
	if r := web.Resources[0]; *r.Type != "Other" || r.Details.Other["label/env"] != "prod" || r.Details.Other["kind"] != "host" {
		t.Errorf("resource %+v", r)
	}
	if r := shop.Resources[0]; *r.Type != "Container" || *r.Details.Container.Name != `shop <&> "quoted"` {
		t.Errorf("resource %+v", r)
	}
}

// A fix may be known of without its version.
func TestFixOfNoVersion(t *testing.T) {
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Resolved("")} {
		h := newHub(t)
		one := notifytest.Opened().Findings[0]
		one.Fixable, one.Fixed = true, nil
		n.Findings = []notify.Finding{one}
		f := h.findings[send(t, h.server, n)]
		v, want := f.Vulnerabilities[0], "Update openssl to a version without the vulnerability."
		if v.FixAvailable != "YES" || v.VulnerablePackages[0].FixedInVersion != nil {
			t.Fatalf("%s: %+v", n.Action, v)
		}
		if *v.VulnerablePackages[0].Remediation != want || *f.Remediation.Recommendation.Text != want {
			t.Errorf("%s: advice %q", n.Action, *f.Remediation.Recommendation.Text)
		}
	}
}

func TestWhatIsNotKnownIsNotSaid(t *testing.T) {
	h := newHub(t)
	n := notifytest.Opened()
	n.Findings = []notify.Finding{{Vulnerability: "GHSA-aaaa-bbbb-cccc", Severity: "unknown", Package: "left-pad", Ecosystem: "npm", Node: notify.Node{ID: "1", Kind: "image", Name: "shop:1"}}}
	f := h.findings[send(t, h.server, n)]
	if *f.Title != "GHSA-aaaa-bbbb-cccc in left-pad on shop:1" || *f.Description != *f.Title || *f.CreatedAt != "2026-08-21T12:00:00Z" || f.Remediation != nil {
		t.Errorf("finding %+v", f)
	}
	if f.FindingProviderFields.Types[0] != "Software and Configuration Checks/Vulnerabilities" || *f.FindingProviderFields.Severity.Original != "unknown" {
		t.Errorf("fields %+v", f.FindingProviderFields)
	}
	if v := f.Vulnerabilities[0]; v.FixAvailable != "NO" || v.Cvss != nil || v.EpssScore != nil || v.ExploitAvailable != "" || v.VulnerablePackages[0].FixedInVersion != nil {
		t.Errorf("vulnerability %+v", v)
	}
	if r := f.Resources[0]; *r.Type != "Container" || *r.Details.Container.ImageName != "shop:1" || r.Details.Container.Name != nil {
		t.Errorf("resource %+v", r)
	}
}

func TestSample(t *testing.T) {
	h := newHub(t)
	n := notifytest.Opened()
	n.Findings = n.Findings[:1]
	if ref := send(t, h.server, n); ref != webID {
		t.Errorf("ref %q", ref)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, h.last, "", "  "); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "securityhub", pretty.String())
}

func TestLaterNotificationsUpdateAndArchive(t *testing.T) {
	h := newHub(t)
	opened, changed, resolved := notifytest.Opened(), notifytest.Changed(), notifytest.Resolved("")
	changed.Time, resolved.Time = opened.Time.Add(time.Microsecond), opened.Time.Add(time.Hour)
	changed.Findings = slices.Clone(changed.Findings)
	third := changed.Findings[0]
	third.Node.ID = "01990000-0000-7000-8000-000000000003"
	changed.Findings = append(changed.Findings, third)
	resolved.Findings = changed.Findings
	for _, n := range []notify.Notification{opened, opened, changed, resolved} {
		send(t, h.server, n)
	}
	if len(h.findings) != 3 || h.created != 3 || h.updated != 5 || h.ignored != 2 {
		t.Errorf("%d findings: %d created, %d updated, %d ignored", len(h.findings), h.created, h.updated, h.ignored)
	}
	for id, f := range h.findings {
		if f.RecordState != types.RecordStateArchived || f.Workflow != nil {
			t.Errorf("%s is %s", id, f.RecordState)
		}
	}
	send(t, h.server, changed) // arrives late
	if h.findings[webID].RecordState != types.RecordStateArchived {
		t.Error("what came late changed it")
	}
	again := opened
	again.Time = resolved.Time.Add(time.Hour)
	send(t, h.server, again)
	if h.findings[webID].RecordState != types.RecordStateActive || len(h.findings) != 3 {
		t.Error("what opened again is not active")
	}
}

func TestToldIsAFindingOfTheConsole(t *testing.T) {
	h := newHub(t)
	if ref := send(t, h.server, notifytest.Told()); ref != "patrol/feed-stale/feed" {
		t.Errorf("ref %q", ref)
	}
	f := h.findings["patrol/feed-stale/feed"]
	if *f.Title != "The feed is stale" || *f.Resources[0].Id != "patrol/console" || f.Resources[0].Details.Other["Since"] != "2026-08-19" || f.Vulnerabilities != nil || f.SourceUrl != nil {
		t.Errorf("finding %+v", f)
	}
	bare := notify.Notification{ID: "x", Key: "y/z", Action: notify.Told, Type: "t", Time: notifytest.Told().Time}
	send(t, h.server, bare)
	if f := h.findings["patrol/y/z"]; *f.Title == "" || *f.Description == "" {
		t.Errorf("finding %+v", f)
	}
}

func TestSeverities(t *testing.T) {
	h := newHub(t)
	for severity, want := range map[string]types.SeverityLabel{
		"malicious": "CRITICAL", "critical": "CRITICAL", "high": "HIGH", "medium": "MEDIUM", "low": "LOW", "unknown": "INFORMATIONAL", "info": "INFORMATIONAL", "": "INFORMATIONAL",
	} {
		n := notifytest.Told()
		n.Key, n.Severity = "k/"+severity, severity
		send(t, h.server, n)
		if got := h.findings["patrol/k/"+severity].FindingProviderFields.Severity.Label; got != want {
			t.Errorf("%s is %s", severity, got)
		}
	}
}

// The most that a notification can be: each text is longer than may be and of
// characters of four bytes, each node has many labels.
func TestLimits(t *testing.T) {
	h := newHub(t)
	long := strings.Repeat("𝕊", 1200)
	n := notifytest.Opened()
	n.Title, n.Text, n.Total = long, long, 5000
	n.Findings = nil
	for i := range notify.MostFindings {
		f := notifytest.Opened().Findings[i%2]
		f.Node.ID, f.Node.Name, f.Node.Labels = fmt.Sprint(i), long, map[string]string{}
		for l := range 30 {
			f.Node.Labels[fmt.Sprint(l, long)] = long
		}
		f.Vulnerability, f.Summary, f.Package, f.Ecosystem, f.Because = long, long, long+fmt.Sprint(i), long, long
		f.Fixed = []string{long, long}
		n.Findings = append(n.Findings, f)
	}
	send(t, h.server, n)
	if len(h.findings) != notify.MostFindings || h.requests != 2 {
		t.Errorf("%d findings in %d requests", len(h.findings), h.requests)
	}
	n.Findings = nil
	for range 200 {
		n.Facts = append(n.Facts, notify.Fact{Name: long, Value: long})
	}
	n.Key = "k"
	send(t, h.server, n)
	if f := h.findings["patrol/k"]; utf8.RuneCountInString(*f.Title) != 256 || !strings.HasSuffix(*f.Description, "…") {
		t.Errorf("title of %d characters", utf8.RuneCountInString(*f.Title))
	}
}

func TestHostileText(t *testing.T) {
	h := newHub(t)
	n := notifytest.Opened()
	n.Findings = slices.Clone(n.Findings)
	f := &n.Findings[0]
	f.Summary, f.Package = "a\x00b\u2028c\r\n<!channel>\xff\x1b[31m", "p\n/../\x00"
	f.Node.Labels = map[string]string{"": "empty", "a\tb": "\x00"}
	other := n.Findings[0]
	other.Package = "p /../ " // reads the same, and is another
	n.Findings = append(n.Findings, other, other)
	send(t, h.server, n)
	if len(h.findings) != 3 {
		t.Fatalf("%d findings", len(h.findings))
	}
	for id, f := range h.findings {
		if id != shopID && *f.Description != "a b c <!channel> [31m" {
			t.Errorf("%q: %q", id, *f.Description)
		}
	}
}

func TestSignatureWithSessionToken(t *testing.T) {
	h := newHub(t)
	sender := notifytest.Open(t, securityhub.Kind(), settings(h.server, "access_key_id", "ASIAIOSFODNN7EXAMPLE", "session_token", "IQoJb3JpZ2luX2VjEXAMPLE"))
	h.keys.AccessKeyID, h.keys.SessionToken = "ASIAIOSFODNN7EXAMPLE", "IQoJb3JpZ2luX2VjEXAMPLE"
	ctx, exchange := notify.WithExchange(t.Context())
	if _, err := sender.Send(ctx, notifytest.Told()); err != nil {
		t.Fatal(err)
	}
	if request, _ := exchange.Said(nil); strings.Contains(request, "EXAMPLE") || !strings.Contains(request, "The feed is stale") {
		t.Errorf("noted is\n%s", request)
	}
}

func TestRefusals(t *testing.T) {
	failed := func(all ...string) string {
		var list []types.ImportFindingsError
		for _, code := range all {
			id, message := "patrol/1", "because of "+code
			list = append(list, types.ImportFindingsError{Id: &id, ErrorCode: &code, ErrorMessage: &message})
		}
		body, err := json.Marshal(map[string]any{"FailedCount": len(all), "SuccessCount": 0, "FailedFindings": list})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for _, test := range []struct {
		name, body, errorType, retry string
		status                       int
		said                         string
		rejected                     bool
		after                        time.Duration
	}{
		{name: "disabled", status: 200, body: failed("InvalidAccess", "InvalidAccess"), said: "200, but refused 2 of 2 findings: InvalidAccess: because of InvalidAccess"},
		{name: "malformed", status: 200, body: failed("InvalidInput", "FindingSizeExceeded"), said: "InvalidInput: because of InvalidInput; FindingSizeExceeded: because", rejected: true},
		{name: "some", status: 200, body: failed("InvalidInput", "InternalFailure"), said: "refused 2 of 2"},
		{name: "many reasons", status: 200, body: failed("A", "B", "C", "D", "E"), said: "C: because of C … and 2 more"},
		{name: "no reasons", status: 200, body: `{"FailedCount":2,"SuccessCount":0,"FailedFindings":[]}`, said: "refused 2 of 2 findings: failed: without a reason"},
		{name: "elsewhere", status: 200, body: "<html>", said: "200, but not in JSON"},
		{name: "invalid", status: 400, errorType: "InvalidInputException:http://internal.amazon.com/", body: `{"Message":"Invalid parameter 'Findings'"}`, said: `400 Bad Request: InvalidInputException: {"Message":"Invalid parameter 'Findings'"}`, rejected: true},
		{name: "invalid in the body", status: 400, body: `{"__type":"InvalidInputException","Message":"x"}`, said: "InvalidInputException", rejected: true},
		{name: "throttled", status: 400, errorType: "ThrottlingException", body: `{"message":"Rate exceeded"}`, said: "ThrottlingException: "},
		{name: "expired", status: 400, body: `{"__type":"ExpiredTokenException"}`, said: "ExpiredTokenException"},
		{name: "access", status: 401, errorType: "InvalidAccessException", body: `{"Message":"Account 111122223333 is not subscribed to AWS Security Hub"}`, said: "InvalidAccessException: "},
		{name: "key", status: 403, errorType: "UnrecognizedClientException", body: `{"message":"The security token included in the request is invalid."}`, said: "403 Forbidden: UnrecognizedClientException: "},
		{name: "policy", status: 403, errorType: "AccessDeniedException", body: `{"Message":"User: arn:aws:iam::111122223333:user/patrol is not authorized to perform: securityhub:BatchImportFindings"}`, said: "not authorized"},
		{name: "nowhere", status: 404, body: "", said: "404 Not Found"},
		{name: "large", status: 413, body: "", said: "413", rejected: true},
		{name: "limit", status: 429, errorType: "LimitExceededException", body: `{"Message":"Rate exceeded"}`, retry: "30", said: "LimitExceededException", after: 30 * time.Second},
		{name: "broken", status: 500, errorType: "InternalException", body: `{}`, said: "500 Internal Server Error: InternalException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if test.errorType != "" {
					w.Header().Set("X-Amzn-Errortype", test.errorType)
				}
				if test.retry != "" {
					w.Header().Set("Retry-After", test.retry)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			_, err := notifytest.Open(t, securityhub.Kind(), settings(server)).Send(t.Context(), notifytest.Opened())
			f := notifytest.Failure(t, err)
			if !strings.Contains(f.Said, test.said) || f.Rejected != test.rejected || f.After != test.after {
				t.Errorf("%+v", f)
			}
		})
	}
}

// One batch that is refused must not keep the others from being sent.
func TestOtherBatchesAreSentBesideARefusedOne(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			_, _ = io.WriteString(w, `{"FailedCount":1,"SuccessCount":99,"FailedFindings":[{"Id":"patrol/1","ErrorCode":"InvalidInput","ErrorMessage":"no"}]}`)
			return
		}
		_, _ = io.WriteString(w, `{"FailedCount":0,"SuccessCount":100,"FailedFindings":[]}`)
	}))
	defer server.Close()
	n := notifytest.Opened()
	n.Findings = nil
	for i := range notify.MostFindings {
		f := notifytest.Opened().Findings[0]
		f.Node.ID = fmt.Sprint(i)
		n.Findings = append(n.Findings, f)
	}
	_, err := notifytest.Open(t, securityhub.Kind(), settings(server)).Send(t.Context(), n)
	if f := notifytest.Failure(t, err); f.Said != "200, but refused 1 of 200 findings: InvalidInput: no" || !f.Rejected || asked.Load() != 2 {
		t.Errorf("%+v after %d requests", f, asked.Load())
	}
}

func TestUntrustedCertificate(t *testing.T) {
	notifytest.Distrusts(t, func(url string) notify.Sender {
		return notifytest.Open(t, securityhub.Kind(), at(url))
	})
}

func TestCancelled(t *testing.T) {
	notifytest.Hangs(t, func(url, ca string) notify.Sender {
		return notifytest.Open(t, securityhub.Kind(), at(url, "ca", ca))
	})
}

func TestSettingsAreRefused(t *testing.T) {
	h := newHub(t)
	for field, values := range map[string][]string{
		"account_id":        {"", "1111-2222-3333", "11112222333", "١١١١٢٢٢٢٣٣٣٣"},
		"region":            {"", "Frankfurt", "eu-central-1.evil.example/", "eu"},
		"access_key_id":     {"", "short", "AKIA IOSFODNN7EXAMPLE"},
		"secret_access_key": {""},
		"url":               {"securityhub.example", "ftp://securityhub.example", "https://key:secret@securityhub.example"},
		"ca":                {"no certificate"},
	} {
		for _, value := range values {
			notifytest.Refuses(t, securityhub.Kind(), settings(h.server, field, value), field)
		}
	}
	notifytest.Refuses(t, securityhub.Kind(), settings(h.server, "access_key_id", "ASIAIOSFODNN7EXAMPLE"), "session_token")
}
