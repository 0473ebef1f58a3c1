package db

import "github.com/google/uuid"

// NewID returns a UUIDv7: ids of one process sort in the order in which they were
// made, which lists and "the latest" rely on.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
