package match_test

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"patrol/internal/match"
)

// pairs is how many pairs of versions each package manager judges.
const pairs = 10_000

// TestOrderIsDpkgs asks dpkg itself. The shells share the work, because dpkg
// compares one pair a process.
func TestOrderIsDpkgs(t *testing.T) {
	const script = `while read -r a op b; do dpkg --compare-versions "$a" "$op" "$b" || echo "$a $op $b"; done; echo end`
	agreesWith(t, "dpkg", runtime.GOMAXPROCS(0), []string{"sh", "-c", script}, oracleVersions{
		ecosystems: []string{"Debian:12", "Ubuntu:24.04:LTS", "Echo"},
		real:       fixedVersions(t, "Debian"),
		// Policy manual, 5.6.12: alphanumerics and ". + - ~", begun by a digit; a
		// hyphen in the upstream version only before a revision.
		separators: []string{".", ".", "+", "~", "-", ""},
		words: []string{
			"rc", "beta", "a", "b", "z", "A", "Z", "dfsg", "git", "ds", "really", "+deb12u", "~deb12u", "~bpo", "ubuntu", "+b", "+nmu", "build", "~~", "+~",
		},
	})
}

// TestOrderIsRPMs asks rpm itself, whose Lua compares all pairs in one process.
func TestOrderIsRPMs(t *testing.T) {
	const script = `%{lua:
		local sign = { lt = -1, eq = 0, gt = 1 }
		for line in io.stdin:lines() do
			local a, op, b = line:match("(%S+) (%S+) (%S+)")
			if rpm.vercmp(a, b) ~= sign[op] then print(line .. "\n") end
		end
		print("end")
	}`
	agreesWith(t, "rpm", 1, []string{"rpm", "--eval", script}, oracleVersions{
		ecosystems: []string{
			"AlmaLinux:9", "Rocky Linux:9", "Red Hat:enterprise_linux:9::baseos", "SUSE:Linux Enterprise Server 15 SP5",
			"openSUSE:Tumbleweed", "openEuler:24.03-LTS", "Mageia:9", "Azure Linux:3", "Photon OS:5.0",
		},
		real: fixedVersions(t, "AlmaLinux"),
		// rpm-version(7): alphanumerics and ". _ + ~ ^"; the hyphen is between version
		// and release alone.
		separators: []string{".", ".", "_", "+", "~", "^", ""},
		words: []string{
			"rc", "beta", "a", "b", "z", "A", "Z", "git", "k", ".el", ".el9_", ".module_el8.", "+git", "~rc", "^git", "^", "~", "~~", "^^", "~^", "._+",
		},
	})
}

// agreesWith writes what matching says of each pair, as "1.0 lt 1.1", to oracles
// that answer with the lines they deny, and "end".
func agreesWith(t *testing.T, name string, processes int, command []string, v oracleVersions) {
	t.Parallel()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: this test compares version orders with it (on Debian: apt-get install %s)", err, name)
	}
	v.Rand = rand.New(rand.NewPCG(1, 1))
	questions := make([]strings.Builder, processes)
	said := make(map[int]int)
	for i := range pairs {
		a, b := v.pair()
		order, err := match.Compare(v.ecosystems[i%len(v.ecosystems)], a, b)
		if err != nil {
			t.Fatalf("%s: %q and %q: %v", v.ecosystems[i%len(v.ecosystems)], a, b, err)
		}
		said[order]++
		fmt.Fprintln(&questions[i%processes], a, map[int]string{-1: "lt", 0: "eq", 1: "gt"}[order], b)
	}
	if said[-1] < pairs/4 || said[1] < pairs/4 || said[0] < pairs/100 {
		t.Errorf("the pairs are one-sided: %v", said)
	}
	answers := make(chan string, processes)
	for i := range questions {
		go func() {
			oracle := exec.CommandContext(t.Context(), command[0], command[1:]...)
			oracle.Stdin = strings.NewReader(questions[i].String())
			answer, err := oracle.CombinedOutput()
			if err != nil {
				answer = fmt.Appendf(answer, "%v", err)
			}
			answers <- string(answer)
		}()
	}
	for range processes {
		if answer := strings.TrimSpace(<-answers); answer != "end" {
			t.Errorf("%s denies:\n%s", name, answer)
		}
	}
}

// oracleVersions makes versions that its package manager allows: realistic ones,
// nasty ones, and those that advisories have named.
type oracleVersions struct {
	*rand.Rand
	ecosystems, real, separators, words []string
}

// numbers has zeros that count and zeros that do not, and more than 64 bits.
var numbers = []string{"0", "00", "1", "01", "2", "9", "09", "10", "11", "100", "2024", "20240815", "18446744073709551616", "018446744073709551617"}

// pair draws versions that are close to one another: those that differ at their
// beginning never reach a rule that is hard.
func (v *oracleVersions) pair() (a, b string) {
	switch v.IntN(4) {
	case 0: // neighbours in the alphabet begin alike
		i := v.IntN(len(v.real) - 1)
		a, b = v.real[i], v.real[i+1]
	case 1:
		a = v.any(v.real)
		b = v.changed(a)
	default:
		a = v.made()
		b = a
		for range v.IntN(4) {
			b = v.changed(b)
		}
	}
	if v.IntN(2) == 0 {
		a, b = b, a
	}
	return a, b
}

func (v *oracleVersions) any(of []string) string { return of[v.IntN(len(of))] }

// made is [epoch:]version[-release].
func (v *oracleVersions) made() string {
	text := v.part()
	if v.IntN(5) > 0 {
		text += "-" + v.part()
	} else {
		text = strings.ReplaceAll(text, "-", ".")
	}
	if v.IntN(5) == 0 {
		text = v.any([]string{"0", "1", "2", "10"}) + ":" + text
	}
	return text
}

func (v *oracleVersions) part() string {
	text := v.any(numbers)
	for range v.IntN(4) {
		text += v.any(v.separators) + v.any(v.words) + v.any(append(numbers, ""))
	}
	return text
}

var oracleTokens = regexp.MustCompile(`[0-9]+|[A-Za-z]+|[^0-9A-Za-z]`)

// changed replaces, removes or adds one thing in what follows the first number.
func (v *oracleVersions) changed(text string) string {
	tokens := oracleTokens.FindAllString(text, -1)
	begin := 1 + slices.Index(tokens, ":") // the epoch stays
	i := begin + v.IntN(len(tokens)-begin)
	switch token := tokens[i]; {
	case token == "-": // between version and release
	case v.IntN(3) == 0:
		tokens = slices.Insert(tokens, i+1, v.any(v.words))
	case token[0] >= '0' && token[0] <= '9':
		tokens[i] = v.any(numbers)
	case i < len(tokens)-1 && v.IntN(2) == 0: // a version does not end in a separator alone
		tokens = slices.Delete(tokens, i, i+1)
	default:
		tokens[i] = v.any(v.words)
	}
	return strings.Join(tokens, "")
}

// fixedVersions returns the versions that the built-in sample's records of an
// ecosystem name as fixed, sorted as text. Two of them are a slip of the source,
// "which (*:0", and no versions.
func fixedVersions(t *testing.T, ecosystem string) []string {
	t.Helper()
	archive, err := zip.OpenReader(filepath.Join("..", "feed", "sample", ecosystem, "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	var versions []string
	for _, file := range archive.File {
		var record struct {
			Affected []struct {
				Ranges []struct{ Events []struct{ Fixed string } }
			}
		}
		content, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewDecoder(content).Decode(&record); err != nil {
			t.Fatalf("%s: %v", file.Name, err)
		}
		_ = content.Close()
		for _, a := range record.Affected {
			for _, r := range a.Ranges {
				for _, e := range r.Events {
					if e.Fixed != "" && e.Fixed[0] >= '0' && e.Fixed[0] <= '9' {
						versions = append(versions, e.Fixed)
					}
				}
			}
		}
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}
