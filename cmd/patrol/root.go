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
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patrol/internal/client"
	"patrol/internal/platform/config"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/tlscert"
	"patrol/internal/wire"
)

// settings is what commands share.
type settings struct {
	file string
	// values are the settings that have no flag.
	values *koanf.Koanf

	logFormat, logLevel string
}

// log sets where log lines go. Those of a service are collected by something, and
// those of all else are read by a person.
func (s *settings) log(cmd *cobra.Command) error {
	format := s.logFormat
	if format == "auto" {
		format = logs.Text
		if (cmd.Name() == "console" || cmd.Name() == "agent") && !isatty.IsTerminal(os.Stderr.Fd()) {
			format = logs.JSON
		}
	}
	logger, err := logs.New(os.Stderr, format, s.logLevel)
	if err == nil {
		slog.SetDefault(logger)
	}
	return err
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
			if s.values, err = config.Load(cmd.Flags(), s.file); err != nil {
				return err
			}
			return s.log(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&s.file, "config", os.Getenv("PATROL_CONFIG"), "YAML file with settings")
	cmd.PersistentFlags().StringVar(&s.logFormat, "log-format", "auto", "text, json, or auto: json where console or agent do not write to a terminal")
	cmd.PersistentFlags().StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error; debug has a line for each request")
	cmd.AddCommand(
		consoleCommand(s), agentCommand(), quickstartCommand(),
		scanCommand(), feedCommand(),
		nodesCommand(), sbomsCommand(), scansCommand(), findingsCommand(), vulnerabilitiesCommand(), decisionsCommand(), componentsCommand(), schedulesCommand(), reportsCommand(), eventsCommand(),
		integrationsCommand(), rulesCommand(), deliveriesCommand(), secretsCommand(),
		usersCommand(), tokensCommand(), auditCommand(),
		backupCommand(), restoreCommand(), doctorCommand(s), simulateCommand(),
		openAPICommand(), versionCommand(),
	)
	return cmd
}

// remote are the flags of commands that ask a console.
type remote struct{ console, token, fingerprint, ca string }

func (r *remote) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&r.console, "console", "http://127.0.0.1:8080", "URL of the console")
	cmd.PersistentFlags().StringVar(&r.token, "token", "", "an api token; better given as PATROL_TOKEN")
	verifyFlags(cmd.PersistentFlags(), &r.fingerprint, &r.ca)
}

func (r *remote) client() (*client.Client, error) {
	address, http, err := connect(r.console, r.fingerprint, r.ca)
	if err != nil {
		return nil, err
	}
	return &client.Client{Console: address, HTTP: http, Token: r.token}, nil
}

// verifyFlags say how a console's certificate is verified. There is none that turns
// it off.
func verifyFlags(f *pflag.FlagSet, fingerprint, ca *string) {
	f.StringVar(fingerprint, "fingerprint", "", "sha256:… of the console's certificate, where it is self-signed; several separated by commas")
	f.StringVar(ca, "ca", "", "PEM file with the CA that vouches for the console's certificate, in place of the system's")
}

// connect returns what calls to a console go through: the proxy of HTTPS_PROXY or
// HTTP_PROXY, unless NO_PROXY has the console.
func connect(console, fingerprint, ca string) (*url.URL, *http.Client, error) {
	address, err := url.Parse(console)
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") || address.Host == "" {
		return nil, nil, fmt.Errorf("--console %q is no URL such as https://console.example:8080", console)
	}
	verify, err := tlscert.Verifying(fingerprint, ca)
	if err != nil {
		return nil, nil, err
	}
	return address, &http.Client{Transport: transport(verify)}, nil
}

// connectAgent is connect for an agent.
func connectAgent(console, fingerprint, ca string) (*url.URL, *http.Client, error) {
	address, client, err := connect(console, fingerprint, ca)
	if err == nil {
		wire.Frugal(client.Transport.(*http.Transport))
	}
	return address, client, err
}

func transport(verify *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: verify, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, ResponseHeaderTimeout: 3 * time.Minute,
	}
}
