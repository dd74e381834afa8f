package api

import (
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"gatelodge/slate/reports"
	"gatelodge/slate/store"
)

// What a period has.
const (
	statusAvailable  = "Available"
	statusNoActivity = "NoActivity"
	noActivity       = "There was no activity in this period: there is nothing to download."
)

// milliseconds is how times are written (section 7). It cuts off: whoever asks for
// what was modified since then gets that report again, and misses none.
const milliseconds = "2006-01-02T15:04:05.000Z"

// reportBytes is about what a report takes in an answer.
const reportBytes = 640

// appendReports appends the reports of a page as JSON. It is written out by hand: pages
// of reports are most of what the API sends, and the name is all there is to be escaped.
func (a *API) appendReports(b []byte, all []store.Report, of store.Place, now time.Time) ([]byte, error) {
	name, err := encode(of.Type.Name)
	if err != nil {
		return nil, err
	}
	title := reports.NewTitle(of.Channel.Folder, of.Type.Folder)
	// Within a minute the same addresses are given out, so that a page that has not
	// changed is the same page. They live for four to five minutes.
	signedAt := now.Truncate(time.Minute)
	b = append(slices.Grow(b, len(all)*reportBytes), '[')
	for i, p := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"id":"`+reportPrefix...), p.ID, 10)
		b = append(append(b, `","name":`...), name...)
		b = p.Begin.AppendFormat(append(b, `,"reportDateBegin":"`...), time.DateOnly)
		b = p.End.AppendFormat(append(b, `","reportDateEnd":"`...), time.DateOnly)
		b = p.ModifiedAt.UTC().AppendFormat(append(b, `","modifiedDate":"`...), milliseconds)
		b = strconv.AppendInt(append(b, `","numRows":`...), p.Rows, 10)
		b = strconv.AppendInt(append(b, `,"version":`...), p.Version, 10)
		if p.File == "" {
			b = append(b, `,"status":"`+statusNoActivity+`","statusDescription":"`+noActivity+`"}`...)
			continue
		}
		// Addresses have no quotes: what is not plain in them is percent-encoded.
		b = a.Library.AppendDownloadURL(append(b, `,"status":"`+statusAvailable+`","downloadUrl":"`...), p, title, signedAt)
		b = strconv.AppendInt(append(b, `","bytes":`...), p.Bytes, 10)
		b = hex.AppendEncode(append(b, `,"sha256":"`...), p.Archive[:])
		b = append(b, `"}`...)
	}
	return append(b, ']'), nil
}
