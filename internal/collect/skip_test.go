package collect

import (
	"slices"
	"strings"
	"testing"
)

func TestSkips(t *testing.T) {
	s := newSkipSet(true, []string{"/srv/backup/"})
	tests := []struct {
		dir  string
		want bool
	}{
		{"proc", true},
		{"opt/proc", false},
		{"var/lib/docker", true},
		{"srv/var/lib/docker", false},
		{"var/lib/kubelet/pods", true},
		{"home/ann/.local/share/containers/storage", true},
		{"root/.npm", true},
		{"home/ann/go/pkg/mod", true},
		{"home/ann/src/pkg/mod", false},
		{"usr/local/cargo/registry", true},
		{"home/ann/.cargo/registry", true},
		{"home/ann/registry", false},
		{"home/ann/.m2/repository", true},
		{"var/cache", true},
		{"usr/lib/node_modules/npm", false},
		{"snap/core22", true},
		{"snap/lxd", false},
		{"srv/backup", true},
	}
	for _, tt := range tests {
		if got := s.skips(tt.dir); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.dir, got, tt.want)
		}
	}
}

func TestWhereFilesCount(t *testing.T) {
	tests := []struct {
		name  string
		judge func(string) bool
		file  string
		want  bool
	}{
		{"foreign", inForeignTree, "srv/app/package-lock.json", false},
		{"foreign", inForeignTree, "srv/app/node_modules/x/package-lock.json", true},
		{"foreign", inForeignTree, "usr/lib/python3/dist-packages/x/requirements.txt", true},
		{"foreign", inForeignTree, "vendor/x/Cargo.lock", true},
		{"node", inNodeModules, "app/node_modules/x/package.json", true},
		{"node", inNodeModules, "app/node_modules/@s/x/package.json", true},
		{"node", inNodeModules, "app/node_modules/x/esm/package.json", false},
		{"node", inNodeModules, "app/package.json", false},
		{"node", inNodeModules, "package.json", false},
		{"node", inNodeModules, "app/node_modules/.pnpm/x@1.0.0/node_modules/x/package.json", true},
		{"gem", inSpecifications, "usr/lib/ruby/gems/3.1.0/specifications/x.gemspec", true},
		{"gem", inSpecifications, "usr/lib/ruby/gems/3.1.0/specifications/default/x.gemspec", true},
		{"gem", inSpecifications, "usr/lib/ruby/gems/3.1.0/gems/x-1/x.gemspec", false},
	}
	for _, tt := range tests {
		if got := tt.judge(tt.file); got != tt.want {
			t.Errorf("%s %s: got %v, want %v", tt.name, tt.file, got, tt.want)
		}
	}
}

func TestParseMounts(t *testing.T) {
	const table = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid shared:2 - proc proc rw
24 22 0:22 / /tmp rw - tmpfs tmpfs rw
25 22 0:23 / /mnt/share\040one rw shared:3 master:4 - nfs4 server:/x rw
26 22 0:24 / /srv/remote rw - fuse.sshfs me@host: rw
27 22 8:2 / /srv/local rw - fuse.mergerfs /a:/b rw
28 22 0:25 / /srv/covered rw - nfs server:/y rw
29 28 8:3 / /srv/covered rw - xfs /dev/sdb rw
30 22 0:26 / /srv/data/9p rw - 9p share rw
malformed
`
	tests := []struct {
		root string
		want []string
	}{
		{"/", []string{"mnt/share one", "proc", "srv/data/9p", "srv/remote"}},
		{"/srv", []string{"data/9p", "remote"}},
		{"/srv/remote", nil}, // asked for
		{"/sr", nil},
	}
	for _, tt := range tests {
		mounts, err := parseMounts(strings.NewReader(table))
		if err != nil {
			t.Fatal(err)
		}
		got := unscanned(mounts, tt.root)
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.root, got, tt.want)
		}
	}
}

// A container that watches its host has the host's directories mounted; volumes
// and what else was bound are its own.
func TestMountsOfTheHost(t *testing.T) {
	const host = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 8:2 / /var rw - ext4 /dev/sda2 rw
24 22 0:30 /@home /home rw - btrfs /dev/sdb rw
25 22 8:9 / /var/lib/kubelet/pods/1/volumes/data rw - ext4 /dev/sdc rw
`
	const container = `90 80 0:99 / / rw - overlay overlay rw
91 90 8:1 / /host ro - ext4 /dev/sda1 rw
92 91 8:2 / /host/var ro - ext4 /dev/sda2 rw
93 90 8:1 /usr/lib /usr/lib/host ro - ext4 /dev/sda1 rw
94 90 0:30 /@home /people ro - btrfs /dev/sdb rw
95 90 8:2 /lib/docker /docker ro - ext4 /dev/sda2 rw
96 90 8:2 /lib/docker/volumes/app/_data /app rw - ext4 /dev/sda2 rw
97 90 8:1 /srv/app /app2 rw - ext4 /dev/sda1 rw
98 90 8:9 / /data rw - ext4 /dev/sdc rw
99 90 0:50 / /tmp rw - tmpfs tmpfs rw
100 90 0:30 /@home2 /other rw - btrfs /dev/sdb rw
`
	theirs, err := parseMounts(strings.NewReader(container))
	ours, hostErr := parseMounts(strings.NewReader(host))
	if err != nil || hostErr != nil {
		t.Fatal(err, hostErr)
	}
	got := ofHost(theirs, ours)
	slices.Sort(got)
	if want := []string{"docker", "host", "host/var", "people", "usr/lib/host"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
