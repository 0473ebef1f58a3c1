// Package config gives every setting one name in three places: the flag
// --feed-url, the variable PATROL_FEED_URL, and the key feed.url of a YAML file.
// The flag wins over the variable, and the variable over the file.
package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const prefix = "PATROL_"

// Load sets every flag that was not given on the command line from the
// environment or the file (none if path is ""), and returns the settings that
// have no flag: secrets, which a process list would show.
func Load(flags *pflag.FlagSet, path string) (*koanf.Koanf, error) {
	k := koanf.New(".")
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return nil, fmt.Errorf("read the configuration file: %w", err)
		}
	}
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		if err := setFlag(flags, f, k); err != nil && failed == nil {
			failed = err
		}
	})
	if failed != nil {
		return nil, failed
	}
	fromEnv := env.Provider(".", env.Opt{Prefix: prefix, EnvironFunc: os.Environ, TransformFunc: func(name, value string) (string, any) {
		return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", "."), value
	}})
	if err := k.Load(fromEnv, nil); err != nil {
		return nil, fmt.Errorf("read the environment: %w", err)
	}
	return k, nil
}

// setFlag asks for the one variable of a flag. A tree of all variables would mix
// PATROL_CONSOLE with the PATROL_CONSOLE_PORT that Kubernetes sets for a service
// named patrol-console.
func setFlag(flags *pflag.FlagSet, f *pflag.Flag, file *koanf.Koanf) error {
	if f.Changed {
		return nil
	}
	key := strings.ReplaceAll(f.Name, "-", ".")
	variable := prefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
	value, given := os.LookupEnv(variable)
	if !given {
		if !file.Exists(key) {
			return nil
		}
		value = text(file, key)
	}
	if err := flags.Set(f.Name, value); err != nil {
		return fmt.Errorf("setting %s (%s in the environment): %w", key, variable, err)
	}
	return nil
}

// text is a setting as a flag would be given: lists and maps of the file become
// a,b and k=v,l=w.
func text(k *koanf.Koanf, key string) string {
	if list := k.Strings(key); len(list) > 0 {
		return strings.Join(list, ",")
	}
	if pairs := k.StringMap(key); len(pairs) > 0 {
		joined := make([]string, 0, len(pairs))
		for name, value := range pairs {
			joined = append(joined, name+"="+value)
		}
		return strings.Join(joined, ",")
	}
	return k.String(key)
}
