// Package securityhub keeps findings in AWS Security Hub, through BatchImportFindings
// (AWS Security Hub API Reference) in the AWS Security Finding Format 2018-10-08 (AWS
// Security Hub User Guide, "AWS Security Finding Format").
//
// A finding there is an occurrence here, by an Id made of the occurrence's identity.
// Security Hub takes an update only if its UpdatedAt is later than the one it has, so
// with the notification's time there, one that is sent again, or that comes late,
// changes nothing. What is resolved is archived: the Workflow of a finding belongs to
// the people who work on it, and BatchImportFindings cannot change it.
package securityhub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Kind is AWS Security Hub.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "securityhub", Title: "AWS Security Hub", Records: true, Tracks: true,
		Fields: []notify.Field{
			{Name: "account_id", Label: "AWS account", Help: "The 12 digits at the top right of the console; the account of the access key.", Example: "111122223333", Required: true},
			{Name: "region", Label: "Region", Help: "Where Security Hub CSPM is enabled.", Example: "eu-central-1", Required: true},
			{Name: "access_key_id", Label: "Access key ID", Help: "That of an IAM user who may do securityhub:BatchImportFindings.", Example: "AKIAIOSFODNN7EXAMPLE", Required: true},
			{Name: "secret_access_key", Label: "Secret access key", Help: "Shown once, where the access key was created.", Required: true, Secret: true},
			{Name: "session_token", Label: "Session token", Help: "Only for a temporary key, which begins with ASIA; it expires.", Secret: true},
			{Name: "url", Label: "Endpoint", Help: "For an endpoint of one's VPC or a FIPS endpoint; else it follows from the region.", Example: "https://securityhub-fips.us-east-1.amazonaws.com"},
			notify.CA,
		},
		Open: open,
	}
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	account, region := s.Get("account_id"), s.Get("region")
	// Their forms are those of the IAM User Guide and of the API Reference.
	for field, form := range map[string]string{
		"account_id": `^\d{12}$`, "region": `^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$`, "access_key_id": `^\w{16,128}$`,
	} {
		if !regexp.MustCompile(form).MatchString(s.Get(field)) {
			return nil, notify.Invalid(field, "does not look like one")
		}
	}
	temporary := strings.HasPrefix(s.Get("access_key_id"), "ASIA")
	if temporary && s.Get("session_token") == "" {
		return nil, notify.Invalid("session_token", "is needed for a temporary key")
	}
	partition, domain := partition(region)
	endpoint := &url.URL{Scheme: "https", Host: "securityhub." + region + "." + domain}
	if s.Get("url") != "" {
		var err error
		if endpoint, err = s.URL("url"); err != nil {
			return nil, err
		}
	}
	client, err := notify.HTTPClient(guard, s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	client.Transport = naming{client.Transport}
	return sender{
		client: client, signer: v4.NewSigner(), url: endpoint.JoinPath("findings", "import").String(), region: region,
		keys: aws.Credentials{AccessKeyID: s.Get("access_key_id"), SecretAccessKey: s.Get("secret_access_key"), SessionToken: s.Get("session_token")},
		form: form{account: account, product: fmt.Sprintf("arn:%s:securityhub:%s:%s:product/%[3]s/default", partition, region, account)},
	}, nil
}

// partition returns what ARNs of a region begin with, and where its services are.
func partition(region string) (name, domain string) {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn", "amazonaws.com.cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov", "amazonaws.com"
	case strings.HasPrefix(region, "eusc-"):
		return "aws-eusc", "amazonaws.eu"
	}
	return "aws", "amazonaws.com"
}

type sender struct {
	client      *http.Client
	signer      *v4.Signer
	url, region string
	keys        aws.Credentials
	form        form
}

// mostInBatch is how many findings one request holds. Of the other limits, 6 MB a
// request is kept by the lengths that a finding's texts are cut to.
const mostInBatch = 100

// Send implements notify.Sender. What it returns is the Id of the finding, if it is
// one.
func (s sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	findings := s.form.findings(n)
	var failed []importError
	for batch := range slices.Chunk(findings, mostInBatch) {
		more, err := s.send(ctx, batch)
		if err != nil {
			return "", err
		}
		failed = append(failed, more...)
	}
	if len(failed) > 0 {
		return "", refused(failed, len(findings))
	}
	if len(findings) == 1 {
		return findings[0].ID, nil
	}
	return "", nil
}

// importError is ImportFindingsError.
type importError struct {
	ID      string `json:"Id"`
	Code    string `json:"ErrorCode"`
	Message string `json:"ErrorMessage"`
}

func (s sender) send(ctx context.Context, batch []finding) ([]importError, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // each < would count as six
	if err := e.Encode(map[string]any{"Findings": batch}); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body.Bytes()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	hash := sha256.Sum256(body.Bytes())
	now := time.Now()
	if err := s.signer.SignHTTP(ctx, s.keys, r, hex.EncodeToString(hash[:]), "securityhub", s.region, now); err != nil {
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	said, err := notify.Do(s.client, r, now)
	if err != nil {
		return nil, mendable(err, said)
	}
	var answer struct {
		FailedCount    int
		FailedFindings []importError
	}
	if err := json.Unmarshal(said, &answer); err != nil {
		return nil, &notify.Failure{Said: "200, but not in JSON; is " + s.url + " Security Hub's address?"}
	}
	if missing := answer.FailedCount - len(answer.FailedFindings); missing > 0 {
		answer.FailedFindings = append(answer.FailedFindings, slices.Repeat([]importError{{Code: "failed", Message: "without a reason"}}, missing)...)
	}
	return answer.FailedFindings, nil
}

// mendable keeps those failures from being final that tell nothing of the findings:
// Security Hub also answers 400 to a key that expired and to one who asks too often.
func mendable(err error, said []byte) error {
	var f *notify.Failure
	if errors.As(err, &f) && strings.HasPrefix(f.Said, "400 ") {
		f.Rejected = bytes.Contains(said, []byte("InvalidInput")) || bytes.Contains(said, []byte("ValidationException"))
	}
	return err
}

// mostReasons is how many reasons a failure names.
const mostReasons = 3

// refused is the failure of some findings among all, whose request was answered 200.
// It is final if each was refused for what it says.
func refused(failed []importError, all int) error {
	f := &notify.Failure{Rejected: true}
	var reasons []string
	for _, e := range failed {
		switch e.Code {
		case "InvalidInput", "FindingSizeExceeded", "DuplicatedFindingIdentifier":
		default:
			f.Rejected = false
		}
		if reason := line(e.Code+": "+e.Message, 300); !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	f.Said = fmt.Sprintf("200, but refused %d of %d findings: %s", len(failed), all, strings.Join(reasons[:min(len(reasons), mostReasons)], "; "))
	if more := len(reasons) - mostReasons; more > 0 {
		f.Said += fmt.Sprintf(" … and %d more", more)
	}
	return f
}

// naming puts the name of an error before the answer's body: in AWS's protocol it may
// stand in a header alone (Smithy, "AWS restJson1 protocol", section Operation error
// serialization).
type naming struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (n naming) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(r)
	if err != nil || resp.StatusCode/100 == 2 {
		return resp, err
	}
	name, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	if name != "" {
		rest := resp.Body
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(strings.NewReader(name+": "), rest), rest}
	}
	return resp, nil
}
