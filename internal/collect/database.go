package collect

import (
	"path"
	"slices"
	"strings"
)

// packageDatabases are where distributions keep what is installed.
var packageDatabases = []string{
	"var/lib/dpkg/status", "var/lib/dpkg/status.d", "usr/lib/opkg/status",
	"lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/apk/db/installed",
	"var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm", "var/lib/pacman/local",
}

// IsPackageDatabase tells whether a path below the root is a distribution's
// package database, a part of one, or a directory that one stands in: without it
// nothing is known of the distribution's packages.
func IsPackageDatabase(place string) bool {
	if place == "." {
		return true
	}
	return slices.ContainsFunc(packageDatabases, func(database string) bool {
		return within(place, database) || within(database, place)
	})
}

func within(place, dir string) bool {
	return place == dir || strings.HasPrefix(place, path.Clean(dir)+"/")
}
