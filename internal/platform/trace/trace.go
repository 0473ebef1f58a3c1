// Package trace sends OpenTelemetry traces where somebody collects them. It is off
// unless an address is given, and then costs nothing: a span that nobody records
// is an empty value.
package trace

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// name is that of the instrumentation, and of the service unless OTEL_SERVICE_NAME
// has another.
const name = "patrol"

// Enabled tells whether traces are wanted: an endpoint is given, here or in the
// variables of OpenTelemetry.
func Enabled(endpoint string) bool {
	off := os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none"
	return !off && (endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "")
}

// Start sends spans by OTLP over HTTP to an endpoint such as
// http://collector:4318; "" takes it from the standard variables
// (OTEL_EXPORTER_OTLP_ENDPOINT, …_HEADERS, OTEL_TRACES_SAMPLER and so on). stop
// sends what is left.
func Start(ctx context.Context, endpoint, version string) (stop func(context.Context) error, err error) {
	if !Enabled(endpoint) {
		return func(context.Context) error { return nil }, nil
	}
	var options []otlptracehttp.Option
	if endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("send traces to %s: %w", endpoint, err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", name), attribute.String("service.version", version)),
		resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this console in traces: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	// The provider is the process's own, as the default logger is.
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider.Shutdown, nil
}

// Span begins a span; end ends it, and marks it if err holds an error by then.
// Attributes come in pairs of name and value.
func Span(ctx context.Context, what string, err *error, attributes ...string) (_ context.Context, end func()) {
	ctx, span := otel.Tracer(name).Start(ctx, what)
	for i := 0; i+1 < len(attributes); i += 2 {
		span.SetAttributes(attribute.String(attributes[i], attributes[i+1]))
	}
	return ctx, func() {
		if err != nil && *err != nil {
			span.RecordError(*err)
			span.SetStatus(codes.Error, (*err).Error())
		}
		span.End()
	}
}

// Requests gives each request a span, named by its route, but for those that
// last: streams.
func Requests(next http.Handler, route func(*http.Request) string, lasts func(*http.Request) bool) http.Handler {
	return otelhttp.NewHandler(next, "request",
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return route(r) }),
		otelhttp.WithFilter(func(r *http.Request) bool { return !lasts(r) }))
}
