package collect

import (
	"bufio"
	"io"
	"os"
	"path"
	"path/filepath"
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

// unscannedMounts returns the mount points below root that are not read, as
// paths below it. They are known by the mount table alone: to look at a mount
// point whose server is gone would block.
func unscannedMounts(root string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, err
	}
	return parseMounts(f, real)
}

// parseMounts reads proc_pid_mountinfo(5):
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	              point ↑        optional, any ↑ ↑ end  ↑ type
//
// A later line covers an earlier one at the same point.
func parseMounts(r io.Reader, root string) ([]string, error) {
	types := map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		mount, source, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		kind, _, _ := strings.Cut(source, " ")
		if !ok || len(fields) < 5 {
			continue
		}
		types[unescapeMount.Replace(fields[4])] = kind
	}
	var points []string
	for point, kind := range types {
		rel, inside := below(root, point)
		if inside && unscannedTypes[kind] {
			points = append(points, rel)
		}
	}
	return points, lines.Err()
}

// below returns point as a path below root; false for root itself, which was
// asked for whatever it is.
func below(root, point string) (string, bool) {
	rel, inside := strings.CutPrefix(path.Clean(point), strings.TrimSuffix(root, "/")+"/")
	return rel, inside && rel != ""
}

// unescapeMount undoes the octal escapes of the mount table.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
