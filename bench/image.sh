#!/bin/sh
# Makes the image that the scan of an image is measured on: Debian 12 with the
# packages of an ordinary application server, and two large Go programs.
#
#   bench/image.sh DIRECTORY     (as root, with debootstrap and a network)
#
# leaves in DIRECTORY:
#   rootfs/          the tree
#   image.tar        the same as `docker save` writes it, one layer
#   image-gzip.tar   the same with a compressed layer
set -eu

out=${1:?usage: bench/image.sh DIRECTORY}
programs=${PROGRAMS:-docker terraform}
root=$out/rootfs

tree() {
	debootstrap --variant=minbase bookworm "$root.new" ${MIRROR:+"$MIRROR"}
	# Nothing is started in the tree.
	printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"
	chmod 755 "$root.new/usr/sbin/policy-rc.d"
	cp /etc/resolv.conf "$root.new/etc/resolv.conf"
	chroot "$root.new" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		nginx python3-django python3-flask python3-pip nodejs npm openssh-server \
		postgresql redis-server ruby-rails php-fpm
	chroot "$root.new" apt-get clean
	for program in $programs; do
		cp -L "$(command -v "$program")" "$root.new/usr/local/bin/$program"
	done
	mv "$root.new" "$root"
}

# image LAYER FILE writes FILE as docker-save does: manifest.json comes last.
# LAYER is $work/layer.tar, whatever it is compressed with.
image() {
	rm -rf "$work/save"
	mkdir -p "$work/save/blobs/sha256"
	name=$(sha256sum <"$1" | cut -d' ' -f1)
	ln "$1" "$work/save/blobs/sha256/$name"
	config='{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:'$diff'"]},
"history":[{"created_by":"ADD rootfs / # buildkit"},{"created_by":"CMD [\"/bin/bash\"]","empty_layer":true}]}'
	id=$(printf %s "$config" | sha256sum | cut -d' ' -f1)
	printf %s "$config" >"$work/save/blobs/sha256/$id"
	printf '[{"Config":"blobs/sha256/%s","RepoTags":["patrol/bench:latest"],"Layers":["blobs/sha256/%s"]}]' \
		"$id" "$name" >"$work/save/manifest.json"
	tar -C "$work/save" -cf "$2" blobs manifest.json
}

mkdir -p "$out"
out=$(cd "$out" && pwd)
root=$out/rootfs
test -d "$root" || tree
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

tar -C "$root" --numeric-owner --sort=name -cf "$work/layer.tar" .
diff=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
image "$work/layer.tar" "$out/image.tar"
gzip <"$work/layer.tar" >"$work/layer.tar.gz"
image "$work/layer.tar.gz" "$out/image-gzip.tar"
