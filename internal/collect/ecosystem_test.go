package collect

import (
	"strings"
	"testing"
)

func TestEcosystem(t *testing.T) {
	tests := []struct{ name, release, want string }{
		{"Debian", "ID=debian\nVERSION_ID=\"12\"", "Debian:12"},
		{"Debian, point release", "ID=debian\nVERSION_ID=\"11.9\"", "Debian:11"},
		{"Debian testing", "ID=debian\nVERSION_CODENAME=forky", "debian:forky"},
		{"Ubuntu LTS", "ID=ubuntu\nVERSION_ID=\"24.04\"", "Ubuntu:24.04:LTS"},
		{"Ubuntu LTS, older", "ID=ubuntu\nVERSION_ID=\"20.04\"", "Ubuntu:20.04:LTS"},
		{"Ubuntu LTS, to come", "ID=ubuntu\nVERSION_ID=\"26.04\"", "Ubuntu:26.04:LTS"},
		{"Ubuntu, April of an odd year", "ID=ubuntu\nVERSION_ID=\"25.04\"", "Ubuntu:25.04"},
		{"Ubuntu, October", "ID=ubuntu\nVERSION_ID=\"25.10\"", "Ubuntu:25.10"},
		{"Alpine", "ID=alpine\nVERSION_ID=3.20.3", "Alpine:v3.20"},
		{"Alpine edge", "ID=alpine\nVERSION_ID=3.23.0_alpha20250612", "Alpine:edge"},
		{"AlmaLinux", "ID=\"almalinux\"\nVERSION_ID=\"9.4\"", "AlmaLinux:9"},
		{"Rocky Linux", "ID=\"rocky\"\nVERSION_ID=\"9.4\"", "Rocky Linux:9"},
		{"Red Hat", "ID=\"rhel\"\nVERSION_ID=\"9.4\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"", "Red Hat:enterprise_linux:9::baseos"},
		{"Red Hat without a CPE", "ID=\"rhel\"\nVERSION_ID=\"9.4\"", "rhel:9.4"},
		{"openSUSE Leap", "ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"", "openSUSE:Leap 15.6"},
		{"openSUSE Tumbleweed", "ID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20250101\"", "openSUSE:Tumbleweed"},
		{"SUSE", "ID=\"sles\"\nVERSION_ID=\"15.5\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP5\"", "SUSE:Linux Enterprise Server 15 SP5"},
		{"Wolfi", "ID=wolfi\nVERSION_ID=\"20230201\"", "Wolfi"},
		{"Chainguard", "ID=chainguard\nVERSION_ID=\"20230214\"", "Chainguard"},
		{"MinimOS", "ID=minimos\nVERSION_ID=20241031", "MinimOS"},
		{"Mageia", "ID=mageia\nVERSION_ID=9", "Mageia:9"},
		{"openEuler", "ID=\"openEuler\"\nVERSION_ID=\"24.03\"\nPRETTY_NAME=\"openEuler 24.03 (LTS-SP1)\"", "openEuler:24.03-LTS-SP1"},
		{"openEuler, innovation", "ID=\"openEuler\"\nVERSION_ID=\"23.09\"\nPRETTY_NAME=\"openEuler 23.09\"", "openEuler:23.09"},
		{"Photon", "ID=photon\nVERSION_ID=5.0", "Photon OS:5.0"},
		{"Azure Linux", "ID=azurelinux\nVERSION_ID=\"3.0\"", "Azure Linux:3"},
		{"CBL-Mariner", "ID=mariner\nVERSION_ID=\"2.0\"", "Azure Linux:2"},

		{"Amazon Linux", "ID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"", "amzn:2023"},
		{"Fedora", "ID=fedora\nVERSION_ID=42", "fedora:42"},
		{"Arch", "ID=arch\nBUILD_ID=rolling", "arch:rolling"},
		{"Kali", "ID=kali\nID_LIKE=debian\nVERSION_ID=\"2024.1\"", "kali:2024.1"},
		{"Mint", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"21.3\"\nUBUNTU_CODENAME=jammy", "linuxmint:21.3"},
		{"Raspbian", "ID=raspbian\nID_LIKE=debian\nVERSION_ID=\"12\"", "raspbian:12"},
		{"CentOS", "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"", "centos:7"},
		{"single quotes and comments", "# a comment\nID='debian'\nVERSION_ID='12'\nnonsense", "Debian:12"},
		{"no ID", "VERSION_ID=1", "linux:1"},
		{"nothing", "", "linux:unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseRelease(strings.NewReader(tt.release)).ecosystem(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
