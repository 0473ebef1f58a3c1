// Package cloud asks the metadata service of the cloud that a machine runs in which
// instance it is.
//
// All three services answer at one link-local address, and to nobody else than the
// machine itself; on a machine that is in no cloud, nothing does. So all are asked
// at once, for a second at most, never through a proxy, and whatever answers has to
// look like the service that was asked: a network can put anything at that address.
package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	"patrol/internal/wire"
)

// Address is where the metadata services answer.
const Address = "http://169.254.169.254"

const (
	// patience is how long all questions together may take.
	patience = time.Second
	// maxAnswer bounds an answer, in bytes; maxValue one value in it.
	maxAnswer = 256 << 10
	maxValue  = 256
	// maxLabels is how many tags become labels.
	maxLabels = 64
)

// Identity is what a cloud says of the machine.
type Identity struct {
	wire.Cloud
	// Labels are the instance's tags, where the machine may read them.
	Labels map[string]string
}

// provider is how one cloud is asked.
type provider func(ctx context.Context, s service) (Identity, error)

var providers = []provider{aws, gcp, azure}

// Identify asks all clouds that are known; false if the machine is in none of them,
// or its service does not answer in time.
func Identify(ctx context.Context) (Identity, bool) { return identify(ctx, Address) }

func identify(ctx context.Context, address string) (Identity, bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	transport := &http.Transport{
		Proxy:             nil, // it would tell of its own machine
		DialContext:       (&net.Dialer{Timeout: patience}).DialContext,
		DisableKeepAlives: true,
	}
	s := service{address: address, http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("a metadata service does not redirect")
	}}}
	answers := make(chan Identity, len(providers))
	for _, ask := range providers {
		go func() {
			identity, err := ask(ctx, s)
			if err != nil {
				identity = Identity{}
			}
			answers <- identity
		}()
	}
	var found Identity
	for range providers {
		if identity := <-answers; identity.Instance != "" && found.Instance == "" {
			found = identity
			cancel() // the others have nothing to say
		}
	}
	return found, found.Instance != ""
}

// service is where a metadata service answers.
type service struct {
	address string
	http    *http.Client
}

// errAbsent says that the service has no such thing.
var errAbsent = errors.New("there is no such thing")

// ask returns the body of an answer, and its header.
func (s service) ask(ctx context.Context, method, path string, headers ...string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.address+path, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, nil, errAbsent
	case resp.StatusCode != http.StatusOK:
		return nil, nil, fmt.Errorf("%s answers %s", path, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("%s answers with more than %d bytes", path, maxAnswer)
	}
	return body, resp.Header, err
}

func (s service) json(ctx context.Context, into any, path string, headers ...string) error {
	body, _, err := s.ask(ctx, http.MethodGet, path, headers...)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// checked refuses an identity with a value that no cloud gives.
func checked(id Identity) (Identity, error) {
	for _, value := range []string{id.Account, id.Region, id.Zone, id.Instance, id.InstanceType} {
		if len(value) > maxValue || strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
			return Identity{}, fmt.Errorf("%s gives a value that is none of its own", id.Provider)
		}
	}
	if id.Instance == "" {
		return Identity{}, fmt.Errorf("%s gives no instance", id.Provider)
	}
	return id, nil
}

// label adds a tag, if it fits.
func (id *Identity) label(name, value string) {
	if id.Labels == nil {
		id.Labels = make(map[string]string)
	}
	if name != "" && len(name) <= maxValue && len(value) <= maxValue && len(id.Labels) < maxLabels {
		id.Labels[name] = value
	}
}
