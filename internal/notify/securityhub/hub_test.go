package securityhub_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/securityhub"
)

var keys = aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

// hub does what the User Guide says of BatchImportFindings, and refuses what it says
// is refused. A test that sends is its only client, one request after another.
type hub struct {
	t        *testing.T
	server   *httptest.Server
	keys     aws.Credentials
	findings map[string]types.AwsSecurityFinding
	last     []byte

	requests, created, updated, ignored int
}

func newHub(t *testing.T) *hub {
	h := &hub{t: t, keys: keys, findings: map[string]types.AwsSecurityFinding{}}
	h.server = httptest.NewTLSServer(h)
	t.Cleanup(h.server.Close)
	return h
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	h.requests++
	h.last = body
	if r.Method != http.MethodPost || r.URL.Path != "/findings/import" || r.Header.Get("Content-Type") != "application/json" {
		h.t.Errorf("%s %s of type %s", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	h.signed(r, body)
	// The vendor's types have no tags for JSON, and their fields the names that it
	// has on the wire.
	var request struct{ Findings []types.AwsSecurityFinding }
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		h.t.Errorf("%v in %s", err, body)
	}
	h.asTheSDK(request.Findings, body)
	if n := len(request.Findings); n == 0 || n > 100 || len(body) > 6_000_000 {
		h.t.Errorf("%d findings of %d bytes", n, len(body))
	}
	in := map[string]bool{}
	for _, f := range request.Findings {
		if in[*f.Id] {
			h.t.Errorf("%s is there twice", *f.Id)
		}
		in[*f.Id] = true
		h.fits(f)
		h.take(f)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"FailedCount": 0, "SuccessCount": len(request.Findings), "FailedFindings": []any{}})
}

// take is "Determining whether to create or update a finding".
func (h *hub) take(f types.AwsSecurityFinding) {
	at := func(f types.AwsSecurityFinding) time.Time {
		t, err := time.Parse(time.RFC3339Nano, *f.UpdatedAt)
		if err != nil {
			h.t.Error(err)
		}
		return t
	}
	known, ok := h.findings[*f.Id]
	switch {
	case !ok:
		h.created++
	case !at(f).After(at(known)):
		h.ignored++
		return
	default:
		h.updated++
	}
	h.findings[*f.Id] = f
}

// fits checks the constraints that the API Reference gives for AwsSecurityFinding.
func (h *hub) fits(f types.AwsSecurityFinding) {
	for name, part := range map[string]struct {
		text string
		most int
	}{
		"Id": {*f.Id, 512}, "GeneratorId": {*f.GeneratorId, 512}, "Title": {*f.Title, 256}, "Description": {*f.Description, 1024}, "ProductArn": {*f.ProductArn, 2048},
		"ProductName": {*f.ProductName, 128}, "CompanyName": {*f.CompanyName, 128}, "Severity.Original": {*f.FindingProviderFields.Severity.Original, 64},
	} {
		if n := utf8.RuneCountInString(part.text); n == 0 || n > part.most {
			h.t.Errorf("%s has %d characters", name, n)
		}
	}
	if f.Remediation != nil && utf8.RuneCountInString(*f.Remediation.Recommendation.Text) > 512 {
		h.t.Error("the recommendation is too long")
	}
	if *f.SchemaVersion != "2018-10-08" || len(f.Resources) != 1 || len(*f.Resources[0].Id) > 512 {
		h.t.Errorf("version %s, %d resources", *f.SchemaVersion, len(f.Resources))
	}
	for _, m := range []map[string]string{f.Resources[0].Details.Other, f.ProductFields} {
		for name, value := range m {
			if n, v := utf8.RuneCountInString(name), utf8.RuneCountInString(value); n == 0 || n > 127 || v == 0 || v > 1023 || len(m) > 50 {
				h.t.Errorf("a detail of %d characters with %d", n, v)
			}
		}
	}
	if whole, err := json.Marshal(f); err != nil || len(whole) > 240_000 {
		h.t.Errorf("%d bytes, %v", len(whole), err)
	}
}

// signed signs the request anew, as it arrived, and compares.
func (h *hub) signed(r *http.Request, body []byte) {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		h.t.Error(err)
	}
	again, err := http.NewRequest(r.Method, "https://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	for name := range strings.SplitSeq(names, ";") {
		if value := r.Header.Get(name); value != "" {
			again.Header.Set(name, value)
		}
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), h.keys, again, hex.EncodeToString(hash[:]), "securityhub", "eu-central-1", at); err != nil {
		h.t.Error(err)
	}
	if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want {
		h.t.Errorf("signed\n%s\nwant\n%s", got, want)
	}
	if !strings.Contains(names, "host") || !strings.Contains(names, "content-type") {
		h.t.Errorf("signed are only %s", names)
	}
}

// asTheSDK sends the findings with the vendor's own client, which checks what is
// required, and wants it to send what was sent.
func (h *hub) asTheSDK(findings []types.AwsSecurityFinding, body []byte) {
	_, sent := bySDK(h.t, "eu-central-1", findings)
	var got, want any
	if err := json.Unmarshal(body, &got); err != nil {
		h.t.Error(err)
	}
	if err := json.Unmarshal(sent, &want); err != nil {
		h.t.Error(err)
	}
	if !reflect.DeepEqual(got, want) {
		h.t.Errorf("sent\n%s\nthe vendor's client sends\n%s", body, sent)
	}
}

// doing is a client of HTTP.
type doing func(*http.Request) (*http.Response, error)

func (d doing) Do(r *http.Request) (*http.Response, error) { return d(r) }

// bySDK returns what the vendor's client sends, and where to.
func bySDK(t *testing.T, region string, findings []types.AwsSecurityFinding) (url string, body []byte) {
	client := sdk.New(sdk.Options{
		Region:      region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
		HTTPClient: doing(func(r *http.Request) (*http.Response, error) {
			var err error
			url = r.URL.String()
			body, err = io.ReadAll(r.Body)
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(`{"FailedCount":0,"SuccessCount":1,"FailedFindings":[]}`)),
			}, err
		}),
	})
	if _, err := client.BatchImportFindings(context.Background(), &sdk.BatchImportFindingsInput{Findings: findings}); err != nil {
		t.Error(err)
	}
	return url, body
}

func TestEndpointsAreTheVendors(t *testing.T) {
	h := newHub(t)
	for region, partition := range map[string]string{"eu-central-1": "aws", "us-gov-west-1": "aws-us-gov", "cn-north-1": "aws-cn", "eusc-de-east-1": "aws-eusc"} {
		want, _ := bySDK(t, region, []types.AwsSecurityFinding{})
		sender := notifytest.Open(t, securityhub.Kind(), settings(h.server, "region", region, "url", ""))
		ctx, exchange := notify.WithExchange(t.Context())
		ctx, cancel := context.WithCancel(ctx)
		cancel() // it is noted what would be sent, and nothing is
		_, _ = sender.Send(ctx, notifytest.Told())
		request, _ := exchange.Said(nil)
		if !strings.HasPrefix(request, "POST "+want+"\n") || !strings.Contains(request, `"arn:`+partition+`:securityhub:`+region+`:111122223333:product/111122223333/default"`) {
			t.Errorf("%s: want %s, noted\n%s", region, want, request)
		}
	}
}
