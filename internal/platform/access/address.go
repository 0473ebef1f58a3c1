package access

import "context"

type addressKey struct{}

// WithAddress returns a context that carries the network address of whoever asks.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// Address returns where a request came from; "" if there was no request.
func Address(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}
