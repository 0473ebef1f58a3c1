package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/platform/config"
	"patrol/internal/platform/tlscert"
)

// settings is what commands share.
type settings struct {
	file string
	// values are the settings that have no flag.
	values *koanf.Koanf
}

func root() *cobra.Command {
	s := &settings{}
	cmd := &cobra.Command{
		Use:   "patrol",
		Short: "Keep watch over production for vulnerable software",
		Long: `Patrol keeps watch over production for vulnerable software, automatically.

Every flag is also a variable and a key of the file that --config names:
--feed-url is PATROL_FEED_URL and feed.url. The flag wins, then the variable.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
			s.values, err = config.Load(cmd.Flags(), s.file)
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&s.file, "config", os.Getenv("PATROL_CONFIG"), "YAML file with settings")
	cmd.AddCommand(
		consoleCommand(s), agentCommand(), quickstartCommand(),
		scanCommand(), feedCommand(),
		nodesCommand(), scansCommand(), findingsCommand(), vulnerabilitiesCommand(), componentsCommand(), schedulesCommand(), tokensCommand(),
		openAPICommand(), versionCommand(),
	)
	return cmd
}

// remote are the flags of commands that ask a console.
type remote struct{ console, token, fingerprint string }

func (r *remote) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&r.console, "console", "http://127.0.0.1:8080", "URL of the console")
	cmd.PersistentFlags().StringVar(&r.token, "token", "", "an api token; better given as PATROL_TOKEN")
	cmd.PersistentFlags().StringVar(&r.fingerprint, "fingerprint", "", "sha256:… of the console's certificate, where it is self-signed")
}

func (r *remote) client() (*client.Client, error) {
	address, http, err := connect(r.console, r.fingerprint)
	if err != nil {
		return nil, err
	}
	return &client.Client{Console: address, HTTP: http, Token: r.token}, nil
}

// connect returns what calls to a console go through.
func connect(console, fingerprint string) (*url.URL, *http.Client, error) {
	address, err := url.Parse(console)
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") || address.Host == "" {
		return nil, nil, fmt.Errorf("--console %q is no URL such as https://console.example:8080", console)
	}
	verify, err := tlscert.Pinned(fingerprint)
	if err != nil {
		return nil, nil, err
	}
	return address, &http.Client{Transport: transport(verify)}, nil
}

func transport(verify *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: verify, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, ResponseHeaderTimeout: 2 * time.Minute,
	}
}
