package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"patrol/internal/platform/config"
)

// settings are flags of every kind that Patrol has.
type settings struct {
	url      string
	interval time.Duration
	limit    int
	quiet    bool
	output   []string
	labels   map[string]string
}

func flags(s *settings) *pflag.FlagSet {
	f := pflag.NewFlagSet("patrol", pflag.ContinueOnError)
	f.StringVar(&s.url, "feed-url", "https://default.example", "")
	f.DurationVar(&s.interval, "feed-interval", time.Hour, "")
	f.IntVar(&s.limit, "limit", 100, "")
	f.BoolVar(&s.quiet, "quiet", false, "")
	f.StringSliceVar(&s.output, "output", []string{"table"}, "")
	f.StringToStringVar(&s.labels, "label", nil, "")
	return f
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "patrol.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	for _, test := range []struct{ arg, variable, key, want string }{
		{"", "", "", "https://default.example"},
		{"", "", "file", "file"},
		{"", "variable", "", "variable"},
		{"", "variable", "file", "variable"},
		{"flag", "", "file", "flag"},
		{"flag", "variable", "file", "flag"},
	} {
		t.Run(fmt.Sprintf("%q", []string{test.arg, test.variable, test.key}), func(t *testing.T) {
			var s settings
			f := flags(&s)
			if test.arg != "" {
				if err := f.Parse([]string{"--feed-url", test.arg}); err != nil {
					t.Fatal(err)
				}
			}
			if test.variable != "" {
				t.Setenv("PATROL_FEED_URL", test.variable)
			}
			path := ""
			if test.key != "" {
				path = file(t, "feed: {url: "+test.key+"}")
			}
			if _, err := config.Load(f, path); err != nil || s.url != test.want {
				t.Errorf("feed.url = %q, %v; want %q", s.url, err, test.want)
			}
		})
	}
}

func check(t *testing.T, s settings) {
	t.Helper()
	if s.interval != 90*time.Second || s.limit != 7 || !s.quiet || !slices.Equal(s.output, []string{"json", "sarif=out.sarif"}) ||
		len(s.labels) != 2 || s.labels["env"] != "production" || s.labels["zone"] != "a" {
		t.Errorf("settings = %+v", s)
	}
}

func TestKindsInTheFile(t *testing.T) {
	for name, text := range map[string]string{
		"nested": "feed: {interval: 90s}\nlimit: 7\nquiet: true\noutput: [json, sarif=out.sarif]\nlabel: {env: production, zone: a}",
		"flat":   "feed.interval: 90s\nlimit: 7\nquiet: true\noutput: json,sarif=out.sarif\nlabel: env=production,zone=a",
	} {
		t.Run(name, func(t *testing.T) {
			var s settings
			if _, err := config.Load(flags(&s), file(t, text)); err != nil {
				t.Fatal(err)
			}
			check(t, s)
		})
	}
}

func TestKindsInTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"FEED_INTERVAL": "90s", "LIMIT": "7", "QUIET": "true", "OUTPUT": "json,sarif=out.sarif", "LABEL": "env=production,zone=a",
	} {
		t.Setenv("PATROL_"+name, value)
	}
	var s settings
	if _, err := config.Load(flags(&s), ""); err != nil {
		t.Fatal(err)
	}
	check(t, s)
}

func TestBadValueNamesTheSetting(t *testing.T) {
	t.Setenv("PATROL_FEED_INTERVAL", "soon")
	_, err := config.Load(flags(new(settings)), "")
	for _, says := range []string{"feed.interval", "PATROL_FEED_INTERVAL", "soon"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Load = %v; want it to say %q", err, says)
		}
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	for name, path := range map[string]string{"missing": filepath.Join(t.TempDir(), "absent.yaml"), "no YAML": file(t, "feed: [")} {
		if _, err := config.Load(flags(new(settings)), path); err == nil || !strings.Contains(err.Error(), "configuration file") {
			t.Errorf("%s: Load = %v", name, err)
		}
	}
}

// Secrets have no flag, which a process list would show.
func TestSettingsWithoutFlag(t *testing.T) {
	path := file(t, "admin: {password: from-file}")
	for _, want := range []string{"from-file", "from-variable"} {
		if want == "from-variable" {
			t.Setenv("PATROL_ADMIN_PASSWORD", want)
		}
		values, err := config.Load(flags(new(settings)), path)
		if err != nil || values.String("admin.password") != want {
			t.Errorf("admin.password = %q, %v; want %q", values.String("admin.password"), err, want)
		}
	}
}

// Kubernetes sets PATROL_CONSOLE_PORT and the like for a service named
// patrol-console.
func TestVariablesOfOthersAreNoSettings(t *testing.T) {
	t.Setenv("PATROL_CONSOLE", "https://console.example")
	t.Setenv("PATROL_CONSOLE_PORT", "tcp://10.0.0.7:443")
	t.Setenv("PATROL_CONSOLE_SERVICE_HOST", "10.0.0.7")
	t.Setenv("PATROL_TOKEN_PORT", "tcp://10.0.0.8:443")
	f := pflag.NewFlagSet("patrol", pflag.ContinueOnError)
	console, token := f.String("console", "", ""), f.String("token", "", "")
	if _, err := config.Load(f, ""); err != nil {
		t.Fatal(err)
	}
	if *console != "https://console.example" || *token != "" {
		t.Errorf("console = %q, token = %q", *console, *token)
	}
}
