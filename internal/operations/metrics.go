package operations

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the measurements of one console, in a registry of its own.
// docs/operating.md names each, and a test compares.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	flying   prometheus.Gauge
}

// Metrics returns what the console is measured with.
func (s *Service) Metrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_http_requests_total", Help: "Requests answered.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "patrol_http_request_duration_seconds", Help: "How long answers took, streams left out.", Buckets: prometheus.DefBuckets,
		}, []string{"route"}),
		flying: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "patrol_http_requests_in_flight", Help: "Requests under way, streams of events included.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "patrol_build_info", Help: "Always 1; the label is the program's version.", ConstLabels: prometheus.Labels{"version": s.options.Version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.seconds, m.flying, build, newReport(s),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers a scrape. What cannot be read is left out, and logged.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	})
}

type scrapeLog struct{}

func (scrapeLog) Println(v ...any) { slog.Warn("metrics are incomplete", "error", v) }

// Measure counts and times requests. route names what a request is for: a pattern
// and never a path, of which there are too many.
func (m *Metrics) Measure(next http.Handler, route func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.flying.Inc()
		defer m.flying.Dec()
		began := time.Now()
		name := route(r)
		recorded := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorded, r)
		m.requests.WithLabelValues(name, strconv.Itoa(recorded.status)).Inc()
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			m.seconds.WithLabelValues(name).Observe(time.Since(began).Seconds())
		}
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
