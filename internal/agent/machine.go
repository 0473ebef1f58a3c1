package agent

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"patrol/internal/agent/cloud"
	"patrol/internal/wire"
)

// cloudInterval is how often cloud and cluster are asked again: tags change.
const cloudInterval = 10 * time.Minute

// machine is what this agent knows of the machine that it runs on beyond facts
// that are read each time.
type machine struct {
	hardware string
	cloud    cloud.Identity
	labels   map[string]string // of the Kubernetes node
	asked    time.Time
}

// describe adds what tells this machine from others. A metadata service that does
// not answer leaves what it said before.
func (m *machine) describe(ctx context.Context, o Options, facts *wire.Facts) {
	if m.asked.IsZero() || time.Since(m.asked) >= cloudInterval {
		m.asked = time.Now()
		m.ask(ctx, o)
	}
	facts.Machine = wire.Machine{HardwareID: m.hardware, Cloud: m.cloud.Cloud}
	facts.CloudLabels, facts.KubernetesLabels = m.cloud.Labels, m.labels
}

func (m *machine) ask(ctx context.Context, o Options) {
	if c, ok := inCluster(os.Getenv); ok {
		if labels, err := c.labels(ctx); err == nil {
			m.labels = labels
		} else if ctx.Err() == nil {
			slog.Warn("the labels of the Kubernetes node could not be read", "node", c.node, "error", err)
		}
	}
	ask := o.Cloud
	if o.Root == "/" {
		m.hardware = hardwareID()
		if ask == nil {
			ask = cloud.Identify
		}
	}
	if ask == nil {
		return
	}
	if found, ok := ask(ctx); ok {
		m.cloud = found
	}
}

// hardwareID is DMI's product UUID, which only root may read; "" if there is none.
func hardwareID() string {
	text, err := os.ReadFile("/sys/class/dmi/id/product_uuid")
	if err != nil {
		return ""
	}
	return usable(string(text))
}

// usable returns a product UUID, unless it is one that vendors give to every
// machine.
func usable(uuid string) string {
	uuid = strings.ToLower(strings.TrimSpace(uuid))
	shared := []string{"03000200-0400-0500-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc", "not settable", "not present"}
	digits := strings.ReplaceAll(uuid, "-", "")
	if slices.Contains(shared, uuid) || strings.Trim(digits, "0") == "" || strings.Trim(digits, "f") == "" {
		return ""
	}
	return uuid
}
