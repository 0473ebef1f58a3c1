package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patrol/internal/feed"
)

func feedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "feed", Short: "Update, show, export and import what is known of vulnerabilities"}
	var dir string
	cmd.PersistentFlags().StringVar(&dir, "data-dir", "patrol-data", "directory whose feed is meant")
	cmd.AddCommand(feedUpdateCommand(&dir), feedStatusCommand(&dir), feedExportCommand(&dir), feedImportCommand(&dir))
	return cmd
}

func openFeed(dir string) (*feed.Store, error) { return feed.Open(filepath.Join(dir, "feed")) }

// intelligenceFlags name the sources beside OSV; an empty address switches one off.
func intelligenceFlags(f *pflag.FlagSet, a *feed.Addresses) {
	f.StringVar(&a.KEV, "kev-url", feed.DefaultAddresses.KEV, "URL or file of CISA's known exploited vulnerabilities; empty switches it off")
	f.StringVar(&a.EPSS, "epss-url", feed.DefaultAddresses.EPSS, "URL or file of FIRST's EPSS scores; empty switches it off")
	f.StringVar(&a.CVE, "cve-url", feed.DefaultAddresses.CVE, "URL of the CVE list's releases or of a zip of its records, or a directory with such zips; empty switches it off")
	f.StringVar(&a.NVD, "nvd-url", feed.DefaultAddresses.NVD, "URL or directory of NVD's yearly JSON 2.0 feeds; empty switches it off")
}

func feedUpdateCommand(dir *string) *cobra.Command {
	var o feed.Options
	var ecosystems []string
	cmd := &cobra.Command{
		Use: "update", Short: "Fetch and compile the feed", Args: cobra.NoArgs,
		Long: `Fetch OSV and install it as one new revision, or leave everything as it was; then
bring each other source up to date that can be reached. What cannot is reported,
and what is installed of it stays. A console that uses the same directory takes
it all up by itself.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			store, err := openFeed(*dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			if o.Ecosystems, err = namedEcosystems(ecosystems); err != nil {
				return err
			}
			outcome, err := store.Update(cmd.Context(), o)
			if err != nil {
				return err
			}
			state := "installed"
			if !outcome.Changed {
				state = "was installed already"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Feed revision %s %s: %d records of %d sources.\n", outcome.Revision, state, outcome.Records, len(outcome.Sources))
			if outcome.Changed && err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records are new, %d changed, %d are gone.\n", outcome.Changes.New, outcome.Changes.Changed, outcome.Changes.Gone)
			}
			for _, name := range outcome.Dropped {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: source %s is no longer there; what it covered is not assessed from now on\n", name)
			}
			if err != nil {
				return err
			}
			return updateIntelligence(cmd, store, o)
		},
	}
	cmd.Flags().StringVar(&o.URL, "feed-url", feed.DefaultURL, "URL or directory, laid out as OSV publishes")
	cmd.Flags().StringSliceVar(&ecosystems, "ecosystems", []string{feed.AllEcosystems}, "ecosystems to take, separated by commas; or all")
	intelligenceFlags(cmd.Flags(), &o.Intelligence)
	cmd.Flags().BoolVar(&o.AllowOlder, "allow-older", false, "accept sources older than what is installed")
	return cmd
}

// namedEcosystems returns those to take; none means all.
func namedEcosystems(named []string) ([]string, error) {
	switch {
	case len(named) == 0 || slices.Equal(named, []string{feed.AllEcosystems}):
		return nil, nil
	case slices.Contains(named, feed.AutoEcosystems):
		return nil, errors.New("--ecosystems auto is what a console's inventory holds: it is for patrol console; name them here, or take all")
	}
	return named, nil
}

// updateIntelligence tells of the sources that could not be reached, which is no
// failure: OSV is installed.
func updateIntelligence(cmd *cobra.Command, store *feed.Store, o feed.Options) error {
	outcome, err := store.UpdateIntelligence(cmd.Context(), o)
	if err != nil {
		if cmd.Context().Err() != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", err)
		return err
	}
	for _, failed := range outcome.Failed {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: source %s is not updated: %s\n", failed.Name, failed.Error)
	}
	if outcome.Revision == "" {
		return nil
	}
	state := "installed"
	if !outcome.Changed {
		state = "was installed already"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Intelligence revision %s %s, of %d sources.\n", outcome.Revision, state, len(outcome.Sources))
	return err
}

func feedExportCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "export FILE", Short: "Write what is installed to one file, for where no source can be reached", Args: cobra.ExactArgs(1),
		Long: `Write what is installed to one file with checksums. Sign it if it travels a way
that is not trusted: minisign -S -m FILE, or cosign sign-blob --key cosign.key
--output-signature FILE.sig FILE.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := openFeed(*dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			bundle, err := store.Export(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Feed revision %s of %d sources exported to %s.\n", bundle.Revision, len(bundle.Sources), args[0])
			return err
		},
	}
}

func feedImportCommand(dir *string) *cobra.Command {
	var o feed.ImportOptions
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Install what was exported elsewhere", Args: cobra.ExactArgs(1),
		Long: `Verify a file that patrol feed export wrote and install what is in it, all or
nothing. It is refused if a source is older than what is installed.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := openFeed(*dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			bundle, err := store.Import(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			if o.PublicKey == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: no --public-key is given, so nobody's signature was asked for")
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Feed revision %s of %d sources imported, exported %s.\n", bundle.Revision, len(bundle.Sources), bundle.Created.Format(time.RFC3339))
			return err
		},
	}
	cmd.Flags().StringVar(&o.PublicKey, "public-key", "", "file of the minisign or cosign public key that must have signed it")
	cmd.Flags().StringVar(&o.Signature, "signature", "", "file of the signature; without it FILE.minisig, or FILE.sig of cosign")
	cmd.Flags().BoolVar(&o.AllowOlder, "allow-older", false, "accept sources older than what is installed")
	return cmd
}

func feedStatusCommand(dir *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Show what is installed and how old it is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			store, err := openFeed(*dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			status, err := store.Status(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), output, feed.Overview{Status: status, AsOf: status.AsOf(), Freshness: status.Freshness(time.Now(), feed.DefaultStaleAfter)}, func(w io.Writer) { feedTable(w, status) })
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func feedTable(w io.Writer, s feed.Status) {
	if s.Sample {
		fmt.Fprintf(w, "Only the built-in SAMPLE is installed, as of %s (%s). It knows far too little to judge a machine by: run patrol feed update.\n",
			s.AsOf().Format(time.DateOnly), age(s.AsOf()))
	}
	if f := s.Freshness(time.Now(), feed.DefaultStaleAfter); f.Stale {
		fmt.Fprintf(w, "The feed is STALE since %s: %s.\n", f.Since.Format(time.RFC3339), f.Because)
	}
	fmt.Fprintf(w, "Revision %s, %d records, installed %s.\n", s.Revision, s.Records, s.InstalledAt.Format(time.RFC3339))
	if a := s.LastAttempt; a != nil && a.Error != "" {
		fmt.Fprintf(w, "The last update failed at %s: %s\n", a.At.Format(time.RFC3339), a.Error)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tSTATE\tRECORDS\tAS OF\tAGE\tSWITCH")
	for _, source := range s.Sources {
		asOf, old := "-", "-"
		if !source.AsOf.IsZero() {
			asOf, old = source.AsOf.Format(time.DateOnly), age(source.AsOf)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", source.Name, source.State, source.Records, asOf, old, source.Switch)
	}
	_ = table.Flush()
	for _, source := range s.Sources {
		if source.Error != "" && source.Ecosystem() == "" {
			fmt.Fprintf(w, "%s failed: %s\n", source.Name, source.Error)
		}
	}
}

func age(t time.Time) string {
	hours := int(time.Since(t).Hours())
	if hours < 48 {
		return fmt.Sprintf("%d hours old", hours)
	}
	return fmt.Sprintf("%d days old", hours/24)
}
