package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cluster is the Kubernetes API as a pod reaches it, with the credential of its
// service account (Kubernetes: "Accessing the Kubernetes API from a Pod").
type cluster struct {
	address *url.URL
	dir     string // with the files token and ca.crt
	node    string
}

const (
	serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"
	// clusterPatience is how long the API may take.
	clusterPatience = 5 * time.Second
	maxNodeObject   = 4 << 20 // bytes; it lists the images that the node has
	maxNodeLabels   = 64
)

// inCluster tells of the cluster that the agent runs in: false outside of any, and
// where nobody told it the name of its node.
func inCluster(env func(string) string) (cluster, bool) {
	host, port, node := env("KUBERNETES_SERVICE_HOST"), env("KUBERNETES_SERVICE_PORT"), env("PATROL_KUBERNETES_NODE")
	if host == "" || port == "" || node == "" {
		return cluster{}, false
	}
	return cluster{&url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}, serviceAccount, node}, true
}

// labels are those of the agent's node. Its service account has to be allowed to
// get nodes.
func (c cluster) labels(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	token, err := os.ReadFile(filepath.Join(c.dir, "token")) // it is replaced every hour
	if err != nil {
		return nil, fmt.Errorf("read the service account: %w", err)
	}
	authority, err := os.ReadFile(filepath.Join(c.dir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(c.dir, "ca.crt"))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address.JoinPath("api/v1/nodes", c.node).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := transport.RoundTrip(req) // redirects are not followed with this credential
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the cluster answers %s: the agent's service account needs the verb get on nodes", resp.Status)
	}
	var node struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxNodeObject)).Decode(&node); err != nil {
		return nil, fmt.Errorf("read node %s of the cluster: %w", c.node, err)
	}
	return bounded(node.Metadata.Labels), nil
}

// bounded keeps the labels that a console takes, the first by name.
func bounded(labels map[string]string) map[string]string {
	names := make([]string, 0, len(labels))
	for name, value := range labels {
		if len(name) <= maxFact && len(value) <= maxFact {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	kept := make(map[string]string)
	for _, name := range names[:min(len(names), maxNodeLabels)] {
		kept[name] = labels[name]
	}
	return kept
}

// maxFact is how many bytes a console takes of a name or a value.
const maxFact = 256
