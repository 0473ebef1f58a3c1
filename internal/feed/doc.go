// Package feed holds what is known: OSV records, compiled into one immutable
// file per revision, and intelligence about CVEs, compiled into another.
//
// A feed is published as OSV publishes its own: a directory or a web site with
// <ECOSYSTEM>/all.zip, one JSON record an entry. Each such archive is a source
// with its own `as of`. [Store.Update] reads the sources, keeps of each record
// what matching and people need, and writes an index that is mapped into memory
// and never changed again: a [Revision]. Its id is a hash of its content, so
// the same records give the same id on every machine, in whatever order or
// packaging they came, and a result that names a revision can be repeated.
//
// A revision is replaced only by a whole, verified and not older one, in one
// rename. Where nothing was ever installed, a small sample that is part of the
// program stands in, and says so.
//
// Of a web site, a mirror is kept: modified_id.csv tells which records changed and
// which are gone, few are fetched one by one and many as the archive, and a
// revision is compiled from the mirror as from any directory.
//
// # Intelligence
//
// [Store.UpdateIntelligence] reads what tells how bad a vulnerability is rather
// than where it is: CISA's KEV, FIRST's EPSS, the CVE list (CVSS of the CNA and of
// CISA, and CISA's SSVC values) and NVD (CVSS). It has a revision of its own,
// because it changes what findings mean and never which there are. Each source has
// its own state: one that fails keeps what is installed of it, and one without an
// address is off. An address is a URL or a path. The CVE list's is one of
//
//   - GitHub's description of the releases of CVEProject/cvelistV5, of which the
//     newest baseline (YYYY-MM-DD_all_CVEs_at_midnight.zip.zip) and its hourly
//     delta (YYYY-MM-DD_delta_CVEs_at_HHMMZ.zip) are taken;
//   - a zip of CVE JSON 5 records, or a zip of such a zip;
//   - a directory with files of these names.
//
// NVD's is where nvdcve-2.0-YYYY.json.gz stand, each with its .meta if it has one.
//
// # Bundles
//
// [Store.Export] writes all that is installed to one file, for where no source can
// be reached, and [Store.Import] installs it there.
package feed
