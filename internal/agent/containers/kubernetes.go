package containers

import (
	"cmp"
	"regexp"
	"strings"
)

// The labels under which a child says where it belongs in Kubernetes. The cluster
// is in no label of a runtime: it is the agent's own, given with --label.
const (
	ClusterLabel   = "kubernetes.cluster"
	namespaceLabel = "kubernetes.namespace"
	workloadLabel  = "kubernetes.workload"
	podLabel       = "kubernetes.pod"
	containerLabel = "kubernetes.container"
)

// membership is where in Kubernetes a container belongs.
type membership struct{ namespace, workload, pod, container string }

// kubernetes reads the labels that the kubelet has every runtime keep, and those
// of the pod, which name what it is part of.
func kubernetes(container, pod map[string]string) membership {
	m := membership{
		namespace: container["io.kubernetes.pod.namespace"],
		pod:       container["io.kubernetes.pod.name"],
		container: container["io.kubernetes.container.name"],
	}
	m.workload = workload(m.pod, pod)
	return m
}

// generated is the end that a controller gives to the names of its pods: five
// letters and digits, without those that could make words (Kubernetes'
// apimachinery, util/rand).
var generated = regexp.MustCompile(`-[bcdfghjklmnpqrstvwxz2456789]{5}$`)

// workload is the owner of a pod as far as labels tell; "" for a pod on its own.
func workload(pod string, labels map[string]string) string {
	job := cmp.Or(labels["batch.kubernetes.io/job-name"], labels["job-name"])
	hash := labels["pod-template-hash"]
	switch {
	case pod == "":
		return ""
	case job != "":
		return job
	case labels["statefulset.kubernetes.io/pod-name"] == pod:
		return pod[:max(strings.LastIndexByte(pod, '-'), 0)]
	case hash != "": // a deployment's: NAME-HASH-xxxxx
		name, _, _ := strings.Cut(pod, "-"+hash+"-")
		return name
	case labels["controller-revision-hash"] != "": // a daemon set's: NAME-xxxxx
		return generated.ReplaceAllString(pod, "")
	}
	return ""
}

// name is how people call a container of Kubernetes; "" for others.
func (m membership) name() string {
	if m.pod == "" {
		return ""
	}
	return m.namespace + "/" + m.pod + "/" + m.container
}

func (m membership) labels() map[string]string {
	labels := map[string]string{}
	for key, value := range map[string]string{
		namespaceLabel: m.namespace, workloadLabel: m.workload, podLabel: m.pod, containerLabel: m.container,
	} {
		if value != "" {
			labels[key] = value
		}
	}
	return labels
}
