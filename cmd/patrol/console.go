package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patrol/internal/console"
	"patrol/internal/feed"
	"patrol/internal/fleet"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/outgoing"
)

func consoleCommand(s *settings) *cobra.Command {
	var o console.Options
	var trusted, allowed []string
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Run the console: API, UI, schedules, matching",
		Long: `Run the console. With no flags it keeps everything in ./patrol-data and answers
on 127.0.0.1:8080 in plain HTTP. Any other address than loopback is TLS, unless
--plain-http says that a balancer in front has it.

Several consoles behind a balancer share a PostgreSQL database (--database-url) and
a place for large objects (--blob-url); an agent may talk to any of them.

The first start makes the user admin, with the password in PATROL_ADMIN_PASSWORD
or one that it makes and prints once.

Secrets of integrations are sealed by a key in --data-dir; several consoles are given
the same one as PATROL_SECRETS_KEY.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.AdminPassword = s.values.String("admin.password")
			if err := o.OIDC.Check(); err != nil {
				return err
			}
			proxies, err := auth.ParseProxies(trusted)
			if err != nil {
				return err
			}
			o.TrustedProxies = proxies
			if o.OutgoingAllow, err = outgoing.Parse(allowed); err != nil {
				return fmt.Errorf("--outgoing-allow: %w", err)
			}
			if u, err := url.Parse(o.PublicURL); o.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
				return fmt.Errorf("--public-url: %q is no URL such as https://patrol.example.com", o.PublicURL)
			}
			o.SecretsKey = s.values.String("secrets.key")
			o.Version, o.Out = version(), cmd.OutOrStdout()
			return console.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.DataDir, "data-dir", "patrol-data", "directory for everything that the console keeps")
	f.StringVar(&o.DatabaseURL, "database-url", "", "postgres://… database, for several consoles; without it a file in --data-dir")
	f.StringVar(&o.BlobURL, "blob-url", "", "s3://… or file:///… for large objects, the same for all consoles of a database")
	f.BoolVar(&o.PlainHTTP, "plain-http", false, "serve any address without TLS, because a balancer in front has it")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address to answer on")
	f.StringVar(&o.TLSCert, "tls-cert", "", "PEM file with the certificate; without it the console makes its own")
	f.StringVar(&o.TLSKey, "tls-key", "", "PEM file with the certificate's key")
	f.StringSliceVar(&trusted, "trusted-proxies", nil, "networks, such as 10.0.0.0/8, of proxies whose X-Forwarded-For is believed")
	f.StringVar(&o.PublicURL, "public-url", "", "where people reach the console, such as https://patrol.example.com, for links in notifications")
	f.StringSliceVar(&allowed, "outgoing-allow", nil, "networks of this machine and its link, such as 127.0.0.0/8, to which integrations may lead")
	f.StringVar(&o.FeedURL, "feed-url", feed.DefaultURL, "URL or directory, laid out as OSV publishes")
	f.StringSliceVar(&o.Ecosystems, "ecosystems", []string{feed.AutoEcosystems}, "ecosystems to take from a URL, separated by commas; auto is what the inventory holds; or all")
	intelligenceFlags(f, &o.Intelligence)
	oidcFlags(f, &o.OIDC)
	f.DurationVar(&o.FeedInterval, "feed-interval", time.Hour, "how often the feed is updated")
	f.DurationVar(&o.FeedStaleAfter, "feed-stale-after", 0, "how long after its last successful update the feed is stale; without it 24h, or three intervals if they are longer")
	f.DurationVar(&o.DrainDelay, "drain-delay", 0, "how long to answer on after being told to end, so that a load balancer sees it first")
	f.StringVar(&o.OTLPEndpoint, "otlp-endpoint", "", "where OpenTelemetry traces are sent, such as http://collector:4318; without it OTEL_* decide, and by default none are")
	f.DurationVar(&o.NodeRetention, "node-retention", fleet.DefaultRetention, "how long a node may be inactive before it is retired; 0 is for ever")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	return cmd
}

// oidcFlags are the settings of an identity provider.
func oidcFlags(f *pflag.FlagSet, o *auth.OIDC) {
	f.StringVar(&o.Issuer, "oidc-issuer", "", "URL of an OpenID Connect provider at which people may sign in")
	f.StringVar(&o.ClientID, "oidc-client-id", "", "the console's client id there")
	f.StringVar(&o.ClientSecret, "oidc-client-secret", "", "the client's secret; better given as PATROL_OIDC_CLIENT_SECRET")
	f.StringVar(&o.RedirectURL, "oidc-redirect-url", "", "URL of /api/v1/session/oidc/callback as browsers reach it; without it, at the address that they ask at")
	f.StringSliceVar(&o.Scopes, "oidc-scopes", []string{"openid", "profile", "email"}, "scopes to ask for; some providers tell groups only to who asks for groups")
	f.StringVar(&o.RoleClaim, "oidc-role-claim", "groups", "claim of the ID token that holds a user's groups; a.b is b within a")
	f.StringVar(&o.Admin, "oidc-admin", "", "group whose members are administrators")
	f.StringVar(&o.Operator, "oidc-operator", "", "group whose members are operators")
	f.StringVar(&o.Viewer, "oidc-viewer", "", "group whose members are viewers, or * for everybody; who is in no group is refused")
	f.StringVar(&o.Team, "oidc-team", "", "team that whoever signs in there for the first time is put into; without it they see every node")
}
