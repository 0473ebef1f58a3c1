package collect

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// unscannedTypes are the file systems that hold no software of this machine: the
// kernel's own, and those of other machines, where one scan would be repeated by
// every client and one dead server would block it. tmpfs is not among them: /tmp
// may be one, and so may be the root of a container.
var unscannedTypes = map[string]bool{
	"autofs": true, "binfmt_misc": true, "bpf": true, "cgroup": true, "cgroup2": true, "configfs": true,
	"debugfs": true, "devpts": true, "devtmpfs": true, "efivarfs": true, "fusectl": true, "hugetlbfs": true,
	"mqueue": true, "nsfs": true, "proc": true, "pstore": true, "rpc_pipefs": true, "securityfs": true,
	"selinuxfs": true, "sysfs": true, "tracefs": true, "fuse.lxcfs": true, "fuse.portal": true, "fuse.gvfsd-fuse": true,

	"9p": true, "afs": true, "beegfs": true, "ceph": true, "cifs": true, "coda": true, "gfs2": true, "glusterfs": true,
	"gpfs": true, "lustre": true, "ncpfs": true, "nfs": true, "nfs4": true, "ocfs2": true, "orangefs": true,
	"prl_fs": true, "smb3": true, "smbfs": true, "vboxsf": true, "virtiofs": true, "fuse.vmhgfs-fuse": true,
	"fuse.ceph": true, "fuse.ceph-fuse": true, "fuse.glusterfs": true, "fuse.s3fs": true, "fuse.goofys": true,
	"fuse.gcsfuse": true, "fuse.mount-s3": true, "fuse.blobfuse": true, "fuse.blobfuse2": true, "fuse.rclone": true,
	"fuse.sshfs": true, "fuse.juicefs": true, "fuse.seaweedfs": true, "fuse.moosefs": true, "fuse.curlftpfs": true,
	"fuse.davfs": true, "davfs": true,
}

// unscannedMounts returns the mount points that are not read, as paths below the
// root. They are known by the mount table alone: to look at a mount point whose
// server is gone would block.
func unscannedMounts(opts Options) ([]string, error) {
	if opts.Process > 0 {
		return containerMounts(opts.Process)
	}
	mounts, err := readMounts("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(opts.Root)
	if err != nil {
		return nil, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, err
	}
	return unscanned(mounts, real), nil
}

// containerMounts are those that are not read below the root of a container's
// process, whose table names them as the container does. Volumes are read: what
// lies there can run in the container. But a container that watches its host has
// the host's own directories mounted, whose software is the host's.
func containerMounts(process int) ([]string, error) {
	theirs, err := readMounts(fmt.Sprintf("/proc/%d/mountinfo", process))
	if err != nil {
		return nil, err
	}
	host, err := readMounts("/proc/1/mountinfo")
	if err != nil {
		if host, err = readMounts("/proc/self/mountinfo"); err != nil {
			return nil, err
		}
	}
	return append(unscanned(theirs, "/"), ofHost(theirs, host)...), nil
}

// hostTrees are directories of a host that no container has for a volume of its
// own. Those that hold all containers, of skippedAtRoot, are so too.
var hostTrees = map[string]bool{
	"/": true, "/etc": true, "/home": true, "/lib": true, "/opt": true, "/root": true, "/usr": true,
	"/usr/lib": true, "/usr/local": true, "/usr/share": true, "/var": true, "/var/lib": true,
}

// ofHost returns the mounts of a container that are trees of the host.
func ofHost(theirs, host map[string]mount) (points []string) {
	for point, m := range theirs {
		rel, inside := below("/", point)
		if !inside {
			continue
		}
		for at, h := range host {
			under, ok := strings.CutPrefix(m.root, strings.TrimSuffix(h.root, "/"))
			if m.device != h.device || !ok || under != "" && under[0] != '/' {
				continue
			}
			place := path.Join(at, under)
			if hostTrees[place] || slices.Contains(skippedAtRoot, strings.TrimPrefix(place, "/")) {
				points = append(points, rel)
				break
			}
		}
	}
	return points
}

// mount is a line of a mount table.
type mount struct {
	device string // major:minor
	root   string // the directory of its file system that is mounted
	kind   string // of file system
}

func readMounts(table string) (map[string]mount, error) {
	f, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseMounts(f)
}

// parseMounts reads proc_pid_mountinfo(5), by mount point:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	      dev  root  point        optional, any ↑ ↑ end  ↑ type
//
// A later line covers an earlier one at the same point.
func parseMounts(r io.Reader) (map[string]mount, error) {
	mounts := map[string]mount{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, source, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(line)
		kind, _, _ := strings.Cut(source, " ")
		if !ok || len(fields) < 5 {
			continue
		}
		mounts[unescapeMount.Replace(fields[4])] = mount{fields[2], unescapeMount.Replace(fields[3]), kind}
	}
	return mounts, lines.Err()
}

// unscanned returns the mounts below root whose types hold no software of this
// machine.
func unscanned(mounts map[string]mount, root string) (points []string) {
	for point, m := range mounts {
		if rel, inside := below(root, point); inside && unscannedTypes[m.kind] {
			points = append(points, rel)
		}
	}
	return points
}

// below returns point as a path below root; false for root itself, which was
// asked for whatever it is.
func below(root, point string) (string, bool) {
	rel, inside := strings.CutPrefix(path.Clean(point), strings.TrimSuffix(root, "/")+"/")
	return rel, inside && rel != ""
}

// unescapeMount undoes the octal escapes of the mount table.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
