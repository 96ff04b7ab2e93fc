package neuroquantum

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	nqv1 "neuroquantum.dev/go/neuroquantum/v1"
)

// Reason is the ErrorInfo.reason of a failed call ("TABLE_NOT_FOUND"): stable, for programs. Empty when err is
// none of the server's.
func Reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// Detail is what the server says of the statement that failed: SQLSTATE, place, hint. Nil when it says nothing.
func Detail(err error) *nqv1.QueryErrorDetail {
	for _, detail := range status.Convert(err).Details() {
		if query, ok := detail.(*nqv1.QueryErrorDetail); ok {
			return query
		}
	}
	return nil
}
