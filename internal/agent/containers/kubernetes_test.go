package containers

import (
	"maps"
	"testing"
)

func TestWorkload(t *testing.T) {
	tests := []struct {
		pod    string
		labels map[string]string
		want   string
	}{
		{"web-5d9c7b8f4-x2x4z", map[string]string{"pod-template-hash": "5d9c7b8f4"}, "web"},
		{"a-b-5d9c7b8f4-x2x4z", map[string]string{"pod-template-hash": "5d9c7b8f4"}, "a-b"},
		{"renamed", map[string]string{"pod-template-hash": "5d9c7b8f4"}, "renamed"},
		{"db-0", map[string]string{"statefulset.kubernetes.io/pod-name": "db-0", "controller-revision-hash": "db-7c9"}, "db"},
		{"kube-proxy-9xkqz", map[string]string{"controller-revision-hash": "6c8b"}, "kube-proxy"},
		{"kube-proxy", map[string]string{"controller-revision-hash": "6c8b"}, "kube-proxy"},
		{"backup-28123456-4z6vb", map[string]string{"batch.kubernetes.io/job-name": "backup-28123456", "job-name": "x"}, "backup-28123456"},
		{"old-4z6vb", map[string]string{"job-name": "old"}, "old"},
		{"lonely", map[string]string{"app": "x"}, ""},
		{"lonely", nil, ""},
		{"", map[string]string{"pod-template-hash": "x"}, ""},
	}
	for _, tt := range tests {
		if got := workload(tt.pod, tt.labels); got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.pod, tt.labels, got, tt.want)
		}
	}
}

func TestMembership(t *testing.T) {
	m := kubernetes(map[string]string{
		"io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.name": "web-1", "io.kubernetes.container.name": "server", "other": "x",
	}, nil)
	want := map[string]string{"kubernetes.namespace": "shop", "kubernetes.pod": "web-1", "kubernetes.container": "server"}
	if got := m.labels(); m.name() != "shop/web-1/server" || !maps.Equal(got, want) {
		t.Errorf("%q, %v", m.name(), got)
	}
	if none := kubernetes(map[string]string{"com.docker.compose.project": "x"}, nil); none.name() != "" || len(none.labels()) != 0 {
		t.Errorf("%+v", none)
	}
}
