package store

// The queries behind lists of reports, for a look at how they are answered.
const (
	CountReports = countReports
	PageReports  = pageReports
)
