// Package opensearch writes each finding of a notification as a document to an index
// or a data stream of OpenSearch, in the form of package document and by the protocol
// of package bulk. It follows "Bulk" and "Basic authentication" of the OpenSearch
// documentation. Clusters of AWS that take requests signed with Signature Version 4
// only are beyond it; those with an internal user database are not.
package opensearch

import (
	"patrol/internal/notify"
	"patrol/internal/notify/bulk"
	"patrol/internal/platform/outgoing"
)

// Kind is OpenSearch.
func Kind() notify.Kind {
	return notify.Kind{Name: "opensearch", Title: "OpenSearch", Records: true, Fields: bulk.Fields(), Open: open}
}

// open accepts settings without a user: the security plugin can be left out.
func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	client, err := bulk.Open(s, guard)
	if err != nil {
		return nil, err
	}
	if _, err := client.Basic(s); err != nil {
		return nil, err
	}
	return client, nil
}
